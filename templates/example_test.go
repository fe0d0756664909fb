package templates_test

import (
	"fmt"

	"dmconnector/templates"
)

// Values are escaped by their place in the HTML, and not in the subject.
func Example() {
	template, warnings := templates.Compile(templates.Source{
		UsageType: "SignIn",
		Subject:   "Sign in to {{application.name}}",
		Content:   "<p>{{#user.name}}Hello {{user.name}}, your{{/user.name}}{{^user.name}}Your{{/user.name}} code is <b>{{code}}</b></p>",
	})
	out, err := template.Render(map[string]any{
		"code":        "123456",
		"application": map[string]any{"name": "Tom & Jerry"},
		"user":        map[string]any{"name": "<Tom>"},
	}, templates.KeepMissing)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(out.Subject)
	fmt.Println(out.HTML)
	fmt.Println(len(warnings), "warnings")
	// Output:
	// Sign in to Tom & Jerry
	// <p>Hello &lt;Tom&gt;, your code is <b>123456</b></p>
	// 0 warnings
}

// A warning says which value would not be shown as written.
func ExampleCompile() {
	_, warnings := templates.Compile(templates.Source{Content: "<p style=\"color:{{color}}\">{{code}}</p>"})
	for _, w := range warnings {
		fmt.Println(w.Field, w.Line, w.Detail)
	}
	// Output: content 1 {{color}} is in the attribute style: only letters and digits of its value are shown there
}

// A set chooses the template by usage type and by the reader's languages.
func ExampleSet_Choose() {
	var list []*templates.Template
	for _, source := range templates.Builtin() {
		template, _ := templates.Compile(source)
		list = append(list, template)
	}
	set := templates.NewSet(list, nil, "")
	choice, ok := set.Choose("SignIn", "fr", "de zh-SG")
	fmt.Println(ok, choice.Template.Source().LanguageTag)
	for _, step := range choice.Steps {
		fmt.Println(step)
	}
	// Output:
	// true zh-CN
	// locale fr: there is no template for SignIn in this language.
	// uiLocales de: there is no template for SignIn in this language.
	// uiLocales zh-SG: the template in zh-CN fits.
}
