//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// relay serves the least that turns a send request into a mail: one JSON
// decoded, one form posted on a kept connection, no signature, no checks, no
// template language, no log. What the service costs is measured against it.
func relay(ctx context.Context, upstreamURL string, templateSize int) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	handler := relayHandler{&http.Client{Transport: transport}, upstreamURL, templateOfSize(templateSize)}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: exchangeTime}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Println("the relay listens on http://" + listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type relayHandler struct {
	client        *http.Client
	url, template string
}

func (h relayHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		return // the question whether it is up
	}
	var message struct {
		To      string `json:"to"`
		Payload struct {
			Code string `json:"code"`
		} `json:"payload"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &message)
	}
	if err == nil {
		err = h.send(r.Context(), message.To, message.Payload.Code)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"state":"sent"}`)
}

func (h relayHandler) send(ctx context.Context, to, code string) error {
	form := url.Values{
		"Action":         {"SingleSendMail"},
		"Version":        {"2015-11-23"},
		"Format":         {"JSON"},
		"RegionId":       {"cn-hangzhou"},
		"AccountName":    {sender},
		"AddressType":    {"1"},
		"ReplyToAddress": {"false"},
		"ToAddress":      {to},
		"Subject":        {subject},
		"FromAlias":      {alias},
		"HtmlBody":       {strings.Replace(h.template, placeholder, code, 1)},
	}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, strings.NewReader(form))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := h.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	receipt, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the upstream answered %d: %s", resp.StatusCode, receipt)
	}
	return nil
}
