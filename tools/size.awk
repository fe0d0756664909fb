# Reads wc -l of the Go files that are not tests, and prints the lines of the product
# and of test support, in total and by package. With check=1, fails if either total
# exceeds its bound.

$2 == "total" { next } # by wc itself, once for each time xargs runs it

{
	sub("/?[^/]*$", "", $2)
	package = $2 == "" ? "." : $2
	kind = package ~ "^(internal/(attack|bench|chaos|docs|logtopeers|postgrestest)|tools)(/|$)" ? "test support" : "product"
	lines[kind, package] += $1
	total[kind] += $1
}

function report(kind, bound,    key, part) {
	printf "%s: %d lines, at most %d\n", kind, total[kind], bound
	fflush()
	for (key in lines) {
		split(key, part, SUBSEP)
		if (part[1] == kind) printf "%7d  %s\n", lines[key], part[2] | "sort -k2"
	}
	close("sort -k2")
	if (check && total[kind] > bound) status = 1
}

END {
	report("product", 27000)
	report("test support", 1800)
	exit status
}
