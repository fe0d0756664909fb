package aliyundm_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
)

// Send one mail, here to the sandbox. Without an Endpoint it goes to the region's.
func Example() {
	box := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{{AccessKeyID: "LTAI5tExample", AccessKeySecret: "example-secret"}}})
	server := httptest.NewServer(box)
	defer server.Close()

	client, err := aliyundm.NewClient(aliyundm.Options{
		Region:      "ap-southeast-1",
		Endpoint:    server.URL,
		Credentials: aliyundm.Credentials{AccessKeyID: "LTAI5tExample", AccessKeySecret: "example-secret"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := client.SingleSendMail(context.Background(), &aliyundm.Mail{
		AccountName: "noreply@mail.example.com",
		To:          "user@example.com",
		Subject:     "Your code",
		TextBody:    "Your code is 123456",
	})
	fmt.Println(receipt != nil, err, box.Mails()[0].Code)
	// Output: true <nil> 123456
}

// The class of an error says whether the mail may have been accepted; advice says
// what to do about it.
func ExampleError() {
	box := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{{
		AccessKeyID: "LTAI5tExample", AccessKeySecret: "example-secret", Senders: []string{"noreply@mail.example.com"},
	}}})
	server := httptest.NewServer(box)
	defer server.Close()

	client, err := aliyundm.NewClient(aliyundm.Options{
		Endpoint:    server.URL,
		Credentials: aliyundm.Credentials{AccessKeyID: "LTAI5tExample", AccessKeySecret: "example-secret"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.SingleSendMail(context.Background(), &aliyundm.Mail{
		AccountName: "misspelt@mail.example.com", To: "user@example.com", Subject: "Your code", TextBody: "123456",
	})
	if e, ok := errors.AsType[*aliyundm.Error](err); ok {
		fmt.Println(e.Class, e.Code)
		fmt.Println(aliyundm.Advice(e.Code))
	}
	// Output:
	// operator InvalidMailAddress.NotFound
	// The sender address does not exist in this region. Sender addresses belong to one region: check accountName and regionId, or create the address in the Direct Mail console of that region.
}

// A program on an ECS instance sends as the RAM role of the instance.
func ExampleNewClient_role() {
	client, err := aliyundm.NewClient(aliyundm.Options{ECSRole: &aliyundm.ECSRole{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Region(), client.Host())
	// Output: cn-hangzhou dm.aliyuncs.com
}
