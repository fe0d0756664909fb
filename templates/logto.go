package templates

import "strings"

// RenderAsLogto fills in a text as Logto's own connectors do: values go in as
// they are, and sections, <<code>> and line breaks have no meaning. It is for
// comparing mails with Logto's; to send mails use [Compile].
func RenderAsLogto(text string, values map[string]any) string {
	var b strings.Builder
	at := 0
	for _, m := range parse(text) {
		v := newVariable(m.path)
		value, known := v.lookup(values)
		if m.kind != kindValue || text[m.start:m.end] == codeSpelling || !known {
			continue
		}
		shown, _ := textOf(value)
		b.WriteString(text[at:m.start] + shown)
		at = m.end
	}
	b.WriteString(text[at:])
	return b.String()
}
