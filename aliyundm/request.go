package aliyundm

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// sendRequest is SingleSendMail in the SDK's terms. The SDK's own type has its
// parameters in the query, which proxies and servers log.
type sendRequest struct {
	*requests.RpcRequest

	AccountName    string           `position:"Body" name:"AccountName"`
	AddressType    requests.Integer `position:"Body" name:"AddressType"`
	ReplyToAddress requests.Boolean `position:"Body" name:"ReplyToAddress"`
	ToAddress      string           `position:"Body" name:"ToAddress"`
	Subject        string           `position:"Body" name:"Subject"`
	HTMLBody       string           `position:"Body" name:"HtmlBody"`
	TextBody       string           `position:"Body" name:"TextBody"`
	FromAlias      string           `position:"Body" name:"FromAlias"`
	ReplyAddress   string           `position:"Body" name:"ReplyAddress"`
	TagName        string           `position:"Body" name:"TagName"`
}

func newSendRequest(m *Mail) *sendRequest {
	r := &sendRequest{
		RpcRequest:     new(requests.RpcRequest),
		AccountName:    validText(m.AccountName),
		AddressType:    "1",
		ReplyToAddress: "false",
		ToAddress:      validText(m.To),
		Subject:        validText(m.Subject),
		HTMLBody:       validText(m.HTMLBody),
		TextBody:       validText(m.TextBody),
		FromAlias:      validText(m.FromAlias),
		ReplyAddress:   validText(m.ReplyAddress),
		TagName:        validText(m.TagName),
	}
	r.InitWithApiInfo("Dm", "2015-11-23", "SingleSendMail", "", "")
	return r
}

// validText replaces bytes that are not UTF-8. The server would do so before it
// recomputes the signature, and blame the key.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// form returns the signed call as the form to be posted, with a nonce and a
// timestamp of its own.
func (c *Client) form(r requests.AcsRequest, key provider) ([]byte, error) {
	if err := requests.InitParams(r); err != nil {
		return nil, fmt.Errorf("set the parameters: %w", err)
	}
	// For its nonce the SDK prints the whole stack to read the goroutine's number
	// off it, which costs less on a goroutine that has just begun.
	signed := make(chan error, 1)
	go func() {
		// Here nobody above would catch a defect of the SDK.
		defer func() {
			if cause := recover(); cause != nil {
				signed <- fmt.Errorf("the SDK panicked: %T", cause)
			}
		}()
		signed <- auth.Sign(r, nil, c.region, key)
	}()
	if err := <-signed; err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	// Signing has encoded the call's parameters. Its own, the signature among
	// them, it leaves for the URL; they join the others here.
	form := slices.Grow(r.GetContent(), 640)
	for name, value := range r.GetQueryParams() {
		form = append(form, '&')
		form = append(form, name...)
		form = append(form, '=')
		form = append(form, url.QueryEscape(value)...)
	}
	return form, nil
}
