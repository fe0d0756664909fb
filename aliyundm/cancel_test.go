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

// Canceled before any of the mail is written, the call was certainly not accepted.
func TestCanceledBeforeTheMailIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newPipes() // nobody accepts
		client := mustClient(t, aliyundm.Options{Endpoint: "http://127.0.0.1", HTTP: dialing(network.dial)})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		receipt, err := client.SingleSendMail(ctx, testMail())
		e := mustFail(t, receipt, err)
		if took := time.Since(begun); e.Class != aliyundm.Retry || !errors.Is(err, context.Canceled) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// Canceled after that, it may have been.
func TestCanceledAfterTheMailIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		client := servePipes(t, func(_ http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			cancel()
			<-r.Context().Done()
		})
		receipt, err := client.SingleSendMail(ctx, testMail())
		if e := mustFail(t, receipt, err); e.Class != aliyundm.Unknown || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want an unknown outcome", err)
		}
	})
}

// However early the cancellation comes, a call is never unknown where nobody listens.
func TestCanceledIsNeverUnknownWhereNobodyListens(t *testing.T) {
	client := mustClient(t, aliyundm.Options{Endpoint: "http://127.0.0.1:1"})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				_, err := client.SingleSendMail(ctx, testMail())
				if failure, ok := errors.AsType[*aliyundm.Error](err); !ok || failure.Class != aliyundm.Retry {
					t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
}
