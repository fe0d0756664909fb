package delivery_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
	"dmconnector/internal/delivery"
)

// step describes a report.
func step(r delivery.Report) string {
	words := []string{string(r.State)}
	if r.Template != nil {
		words = append(words, "template "+r.Template.UsageType)
	}
	for _, a := range r.Attempts {
		switch {
		case a.Pending:
			words = append(words, "pending")
		case a.Error != "":
			words = append(words, fmt.Sprintf("failed after %d ms", a.Milliseconds))
		default:
			words = append(words, fmt.Sprintf("accepted after %d ms", a.Milliseconds))
		}
	}
	if r.Receipt != nil {
		words = append(words, "receipt "+r.Receipt.EnvID)
	}
	return strings.Join(words, ", ")
}

func TestProgressOfATest(t *testing.T) {
	throttled := &aliyundm.Error{Class: aliyundm.Retry, Code: "Throttling.User"}
	rejected := &aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidAccessKeyId.NotFound"}
	const failed = ", failed after 30 ms"
	tests := map[string]struct {
		onMissing string
		answers   []error
		want      []string
	}{
		"accepted": {"", []error{nil}, []string{
			"sending, template Register",
			"sending, template Register, pending",
			"sending, template Register, accepted after 30 ms, receipt 600",
		}},
		"sent again": {"", []error{throttled, nil}, []string{
			"sending, template Register",
			"sending, template Register, pending",
			"sending, template Register, failed after 30 ms",
			"sending, template Register, failed after 30 ms, pending",
			"sending, template Register, failed after 30 ms, accepted after 30 ms, receipt 600",
		}},
		"sent again and again": {"", []error{throttled, throttled, throttled, nil}, []string{
			"sending, template Register",
			"sending, template Register, pending",
			"sending, template Register" + failed,
			"sending, template Register" + failed + ", pending",
			"sending, template Register" + failed + failed,
			"sending, template Register" + failed + failed + ", pending",
			"sending, template Register" + failed + failed + failed,
			"sending, template Register" + failed + failed + failed + ", pending",
			"sending, template Register" + failed + failed + failed + ", accepted after 30 ms, receipt 600",
		}},
		"rejected": {"", []error{rejected}, []string{
			"sending, template Register",
			"sending, template Register, pending",
			"sending, template Register, failed after 30 ms",
		}},
		"never tried": {"refuse", nil, []string{"sending, template Register"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				slow := sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
					<-time.After(30 * time.Millisecond)
					calls++
					if err := tt.answers[calls-1]; err != nil {
						return nil, err
					}
					return &aliyundm.Receipt{EnvID: "600", RequestID: "R-1"}, nil
				})
				d, c := open(t, target(t, slow, tt.onMissing), slog.New(slog.DiscardHandler))
				req := request("user@example.com")
				var reports []delivery.Report
				req.Progress = func(r delivery.Report) { reports = append(reports, r) }
				last, err := d.Test(t.Context(), c, req, "")
				// What was told earlier must not have changed since.
				var got []string
				for _, r := range reports {
					got = append(got, step(r))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if accepted := err == nil; accepted != (last.State == delivery.StateSent) || strings.Contains(step(last), "pending") || strings.Contains(step(last), "sending") {
					t.Errorf("at last %s, %v", step(last), err)
				}
			})
		})
	}
}
