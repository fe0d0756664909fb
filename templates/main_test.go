package templates_test

import "flag"

var (
	update = flag.Bool("update", false, "write the golden files anew")
	rounds = flag.Int("rounds", 2000, "random templates to try")
)
