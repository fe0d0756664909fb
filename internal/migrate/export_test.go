package migrate

// For tests alone.
var Excerpts = excerpts

// Choose names the template that Logto takes.
func (l *Logto) Choose(usageType, locale string) string {
	t := l.choose(usageType, locale)
	return t.String() + " " + t.Subject
}
