package connector_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
)

// Compose a mail by a connector's JSON and send it, here to the sandbox.
func Example() {
	box := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{{AccessKeyID: "LTAI5tExample", AccessKeySecret: "example-secret"}}})
	server := httptest.NewServer(box)
	defer server.Close()

	cfg, err := connector.Parse([]byte(`{
		"accessKeyId": "LTAI5tExample", "accessKeySecret": "example-secret",
		"accountName": "noreply@mail.example.com", "templates": "builtin",
		"endpoint": "`+server.URL+`"
	}`), connector.ParseOptions{Loopback: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := aliyundm.NewClient(cfg.ClientOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	mail, trace, err := connector.New(cfg).Compose(connector.Message{
		To: "user@example.com", Type: connector.SignIn, Payload: map[string]any{"code": "123456", "locale": "ja"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.SingleSendMail(context.Background(), mail)
	fmt.Println(trace.LanguageTag, box.Mails()[0].Code, err)
	// Output: ja 123456 <nil>
}

func ExampleParse() {
	_, err := connector.Parse([]byte(`{
		"accessKeyId": "LTAI5tExample",
		"accountName": "mail.example.com",
		"templates": "builtin"
	}`), connector.ParseOptions{Loopback: true})
	if invalid, ok := errors.AsType[*connector.InvalidError](err); ok {
		for _, problem := range invalid.Problems {
			fmt.Println(problem.Pointer)
		}
	}
	// Output:
	// /accessKeySecret
	// /accountName
}

func ExampleCheck() {
	_, report := connector.Check([]byte(`{
		"accessKeyId": "LTAI5tExample", "accessKeySecret": "example-secret", "regionId": "ap-southeast-2",
		"accountName": "noreply@mail.example.com", "templates": "builtin"
	}`), connector.ParseOptions{Loopback: true})
	for _, warning := range report.Warnings {
		fmt.Println(warning.Pointer)
	}
	// Output: /regionId
}

func ExampleConnector_Compose() {
	cfg, err := connector.Parse([]byte(`{
		"accessKeyId": "LTAI5tExample", "accessKeySecret": "example-secret",
		"accountName": "noreply@mail.example.com", "templates": "builtin"
	}`), connector.ParseOptions{Loopback: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	message := connector.SampleMessage(connector.Register)
	message.Payload["locale"] = "pt-BR"
	mail, trace, err := connector.New(cfg).Compose(message)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mail.AccountName, "to", mail.To)
	for _, step := range trace.Choice {
		fmt.Println(step)
	}
	// Output:
	// noreply@mail.example.com to user@example.com
	// locale pt-BR: there is no template for Register in this language.
	// The first template in the list is used.
}
