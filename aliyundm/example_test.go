package aliyundm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"dmconnector/aliyundm"
)

func ExampleClient_SingleSendMail() {
	// In place of Direct Mail. Without an Endpoint, mail goes to the region's own.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"Code":"InvalidMailAddress.NotFound","RequestId":"2D086F6A-0000-4000-8000-006DED011A85","Message":"The specified mail address is not found."}`)
	}))
	defer server.Close()
	shared := aliyundm.NewHTTPClient()
	defer shared.CloseIdleConnections()

	client, err := aliyundm.NewClient(aliyundm.Options{
		Region:      "ap-southeast-1",
		Endpoint:    server.URL,
		Credentials: aliyundm.Credentials{AccessKeyID: "testid", AccessKeySecret: "testsecret"},
		HTTP:        shared,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := client.SingleSendMail(context.Background(), &aliyundm.Mail{
		AccountName: "no-reply@example.com",
		To:          "user@example.com",
		Subject:     "Your code",
		TextBody:    "Your code is 123456",
	})
	if e, ok := errors.AsType[*aliyundm.Error](err); ok {
		fmt.Println(e.Class, e.Code)
		fmt.Println(aliyundm.Advice(e.Code))
		return
	}
	fmt.Println("accepted as", receipt.EnvID)

	// Output:
	// operator InvalidMailAddress.NotFound
	// The sender address does not exist in this region. Sender addresses belong to one region: check accountName and regionId, or create the address in the Direct Mail console of that region.
}
