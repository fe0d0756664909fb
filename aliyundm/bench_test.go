package aliyundm_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dmconnector/aliyundm"
)

// sizes are those of a plain text, a usual and a designed HTML body.
var sizes = []int{300, 2 << 10, 12 << 10}

func mailOfSize(size int) *aliyundm.Mail {
	const line = `<td style="padding:8px 16px;color:#333">Your code is 你好</td>` + "\n"
	return &aliyundm.Mail{
		AccountName: "no-reply@mail.example.com", FromAlias: "Example", To: "user@example.com",
		Subject:  "Your verification code",
		HTMLBody: strings.Repeat(line, size/len(line)+1)[:size],
	}
}

func BenchmarkSign(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			client := mustClient(b, aliyundm.Options{HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				return reply(http.StatusOK, receiptJSON), nil
			})}})
			mail := mailOfSize(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.SingleSendMail(b.Context(), mail); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, receiptJSON)
	}))
	b.Cleanup(server.Close)
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			client := mustClient(b, aliyundm.Options{Endpoint: server.URL, Credentials: testKey})
			mail := mailOfSize(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.SingleSendMail(b.Context(), mail); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
