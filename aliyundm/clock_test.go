package aliyundm_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"dmconnector/aliyundm"
)

// TestWrongClock: Direct Mail's time is another than this machine's. A call that is
// refused for that is made once more with the time of the answer, and later ones begin
// with it.
func TestWrongClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				now := time.Now().Add(ahead)
				w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
				signed, err := time.Parse(time.RFC3339, r.PostFormValue("Timestamp"))
				if err != nil {
					t.Error(err)
				}
				calls = append(calls, r.PostFormValue("SignatureNonce"))
				if now.Sub(signed).Abs() > 15*time.Minute {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = w.Write([]byte(`{"Code":"InvalidTimeStamp.Expired","RequestId":"B7B2C5B6-2B3E-4A4B-9B1C-3F0E6B1B6E0A"}`))
					return
				}
				_, _ = w.Write([]byte(`{"EnvId":"600","RequestId":"B7B2C5B6-2B3E-4A4B-9B1C-3F0E6B1B6E0A"}`))
			}))
			t.Cleanup(server.Close)
			client := mustClient(t, aliyundm.Options{Endpoint: server.URL})
			for range 2 {
				if _, err := client.SingleSendMail(t.Context(), testMail()); err != nil {
					t.Fatal(err)
				}
			}
			if len(calls) != 3 || calls[0] == calls[1] {
				t.Errorf("calls: %q", calls)
			}
		})
	}
}

// TestClockRefusedTwice: what a second time does not help is an error.
func TestClockRefusedTwice(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"Code":"InvalidTimeStamp.Expired","RequestId":"B7B2C5B6-2B3E-4A4B-9B1C-3F0E6B1B6E0A"}`))
	}))
	t.Cleanup(server.Close)
	receipt, err := mustClient(t, aliyundm.Options{Endpoint: server.URL}).SingleSendMail(t.Context(), testMail())
	if e := mustFail(t, receipt, err); !e.ClockRefused() || calls != 2 {
		t.Errorf("%v after %d calls", e, calls)
	}
}
