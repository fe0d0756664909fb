package sandbox_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dm"

	"dmconnector/aliyundm/sandbox"
)

// A test of a program that sends with Aliyun's SDK.
func Example() {
	s := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{{
		AccessKeyID: "testid", AccessKeySecret: "testsecret", Senders: []string{"no-reply@mail.example.com"},
	}}})
	server := httptest.NewServer(s)
	defer server.Close()

	// The program under test.
	client, err := dm.NewClientWithAccessKey("cn-hangzhou", "testid", "testsecret")
	if err != nil {
		fmt.Println(err)
		return
	}
	r := dm.CreateSingleSendMailRequest()
	r.AccountName, r.ToAddress = "no-reply@mail.example.com", "user@example.com"
	r.AddressType, r.ReplyToAddress = requests.NewInteger(1), requests.NewBoolean(false)
	r.Subject, r.HtmlBody = "Sign in", "<p>Your code is <b>123456</b></p>"
	r.SetScheme("http")
	r.SetDomain(strings.TrimPrefix(server.URL, "http://"))
	if _, err := client.SingleSendMail(r); err != nil {
		fmt.Println(err)
		return
	}

	// What arrived.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	mail, err := s.Wait(ctx, "user@example.com", "")
	fmt.Println(mail.Subject, mail.Code, err)
	// Output: Sign in 123456 <nil>
}
