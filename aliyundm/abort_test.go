package aliyundm_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/aliyundm"
)

// Before anything of the mail is written the call can be given up.
func TestAbortBeforeTheMailIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newPipes() // nobody accepts
		client := mustClient(t, aliyundm.Options{Endpoint: "http://127.0.0.1", HTTP: dialing(network.dial)})
		abort, giveUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, giveUp)
		begun := time.Now()
		_, err := client.SingleSendMail(aliyundm.WithAbort(t.Context(), abort), &aliyundm.Mail{AccountName: "a@b.example", To: "c@d.example", Subject: "s", TextBody: "t"})
		failure, ok := errors.AsType[*aliyundm.Error](err)
		if took := time.Since(begun); !ok || failure.Class != aliyundm.Retry || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// After that its answer is awaited: the mail may be accepted.
func TestAbortAfterTheMailIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		abort, giveUp := context.WithCancel(t.Context())
		client := servePipes(t, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			giveUp()
			<-time.After(time.Second)
			if _, err := io.WriteString(w, `{"EnvId":"600","RequestId":"R-1"}`); err != nil {
				t.Error(err)
			}
		})
		receipt, err := client.SingleSendMail(aliyundm.WithAbort(t.Context(), abort), &aliyundm.Mail{AccountName: "a@b.example", To: "c@d.example", Subject: "s", TextBody: "t"})
		if err != nil || receipt.EnvID != "600" {
			t.Errorf("%v, %v", receipt, err)
		}
	})
}

// However early it comes, the abort of a call that nobody was reached by is known
// for what it is.
func TestAbortIsNeverUnknownWhereNobodyListens(t *testing.T) {
	client := mustClient(t, aliyundm.Options{Endpoint: "http://127.0.0.1:1"})
	abort, giveUp := context.WithCancel(t.Context())
	giveUp()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 50 {
				_, err := client.SingleSendMail(aliyundm.WithAbort(t.Context(), abort), &aliyundm.Mail{AccountName: "a@b.example", To: "c@d.example", Subject: "s", TextBody: "t"})
				if failure, ok := errors.AsType[*aliyundm.Error](err); !ok || failure.Class != aliyundm.Retry {
					t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
}
