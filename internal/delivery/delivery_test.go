package delivery_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/store"
)

// sender makes a function a [delivery.Sender].
type sender func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error)

func (f sender) SingleSendMail(ctx context.Context, mail *aliyundm.Mail) (*aliyundm.Receipt, error) {
	return f(ctx, mail)
}

func accepting(mails *[]aliyundm.Mail) sender {
	return func(_ context.Context, mail *aliyundm.Mail) (*aliyundm.Receipt, error) {
		*mails = append(*mails, *mail)
		return &aliyundm.Receipt{EnvID: "600", RequestID: "R-1"}, nil
	}
}

func failing(err error) sender {
	return func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) { return nil, err }
}

func target(t *testing.T, s sender, onMissing string) delivery.Connector {
	t.Helper()
	cfg := &connector.Config{AccountName: "noreply@mail.example.com", OnMissing: onMissing}
	for _, usageType := range connector.RequiredUsageTypes() {
		cfg.Templates = append(cfg.Templates, connector.Template{UsageType: usageType, Subject: "{{code}}", Content: "{{code}} {{link}}"})
	}
	return delivery.Connector{ID: "mine", Composer: connector.New(cfg), Sender: s}
}

func request(to string) delivery.Request {
	return delivery.Request{
		Message: connector.Message{To: to, Type: "Register", Payload: map[string]any{"code": "424242"}},
		Arrived: time.Now(),
	}
}

// memory returns a store without a file.
func memory(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{State: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// open returns a Delivery with one connector, and that connector.
func open(t *testing.T, c delivery.Connector, log *slog.Logger) (*delivery.Delivery, delivery.Connector) {
	t.Helper()
	d := delivery.New(delivery.Options{Store: memory(t), Volatile: true, Log: log})
	d.Use(map[string]delivery.Connector{c.ID: c})
	active, _ := d.Connector(c.ID)
	return d, active
}

// send sends one message, and returns its log line too.
func send(ctx context.Context, t *testing.T, c delivery.Connector, req delivery.Request) (delivery.Report, *delivery.Error, map[string]any) {
	t.Helper()
	var log bytes.Buffer
	d, active := open(t, c, slog.New(slog.NewJSONHandler(&log, nil)))
	report, err := d.Send(ctx, active, req)
	failure, ok := errors.AsType[*delivery.Error](err)
	if err != nil && !ok {
		t.Fatalf("error %#v", err)
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("the log has not one line: %q", log.String())
	}
	return report, failure, line
}

func TestReportOfASend(t *testing.T) {
	var mails []aliyundm.Mail
	report, failure, line := send(t.Context(), t, target(t, accepting(&mails), ""), request("User@Exämple.com"))
	if failure != nil || len(mails) != 1 || mails[0].To != "User@xn--exmple-cua.com" || mails[0].HTMLBody != "424242 {{link}}" {
		t.Fatalf("%v, mails %+v", failure, mails)
	}
	if report.State != delivery.StateSent || report.Recipient != "U***@xn--exmple-cua.com" || report.Receipt.EnvID != "600" || len(report.Attempts) != 1 {
		t.Errorf("report %+v", report)
	}
	for key, want := range map[string]any{
		"msg": "mail sent", "incident": report.ID, "outcome": "sent", "connector": "mine", "type": "Register",
		"to": "U***@xn--exmple-cua.com", "env_id": "600", "request_id": "R-1", "missing": []any{"link"},
	} {
		if diff := cmp.Diff(want, line[key]); diff != "" {
			t.Errorf("log: %s (-want +got)\n%s", key, diff)
		}
	}
}

func TestFailuresHaveCodes(t *testing.T) {
	tests := map[string]struct {
		to, onMissing string
		err           error
		code          errcode.Code
		outcome       delivery.State
		retry         bool
		level         string
	}{
		"two recipients": {"a@b.example,c@d.example", "", nil, errcode.InvalidRecipient, delivery.StateFailed, false, "WARN"},
		"variable":       {"a@b.example", "refuse", nil, errcode.VariableMissing, delivery.StateFailed, false, "WARN"},
		"throttled":      {"a@b.example", "", &aliyundm.Error{Class: aliyundm.Retry, Code: "Throttling.User"}, errcode.ProviderBusy, delivery.StateFailed, true, "WARN"},
		"unreachable":    {"a@b.example", "", &aliyundm.Error{Class: aliyundm.Retry}, errcode.ProviderUnavailable, delivery.StateFailed, false, "WARN"},
		"operator":       {"a@b.example", "", &aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidAccessKeyId.NotFound"}, errcode.ProviderRejected, delivery.StateFailed, false, "ERROR"},
		"content":        {"a@b.example", "", &aliyundm.Error{Class: aliyundm.Content, Code: "InvalidBody"}, errcode.ContentRejected, delivery.StateFailed, false, "WARN"},
		"recipient":      {"a@b.example", "", &aliyundm.Error{Class: aliyundm.Recipient, Code: "InvalidToAddress"}, errcode.RecipientRejected, delivery.StateFailed, false, "WARN"},
		"quota":          {"a@b.example", "", &aliyundm.Error{Class: aliyundm.Quota, Code: "InvalidQuota"}, errcode.QuotaExhausted, delivery.StateFailed, true, "ERROR"},
		"unknown":        {"a@b.example", "", &aliyundm.Error{Class: aliyundm.Unknown, Status: 502}, errcode.OutcomeUnknown, delivery.StateUnknown, false, "ERROR"},
		"unclassified":   {"a@b.example", "", errors.New("something else"), errcode.OutcomeUnknown, delivery.StateUnknown, false, "ERROR"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			report, failure, line := send(t.Context(), t, target(t, failing(tt.err), tt.onMissing), request(tt.to))
			if failure == nil || failure.Code != tt.code || failure.Incident != report.ID || failure.Detail == "" || (failure.RetryAfter > 0) != tt.retry {
				t.Fatalf("%+v", failure)
			}
			if report.State != tt.outcome || line["outcome"] != string(tt.outcome) || line["code"] != string(tt.code) || line["level"] != tt.level {
				t.Errorf("report %+v, log %v", report, line)
			}
			if text := failure.Error() + failure.Detail + line["to"].(string); strings.Contains(text, "a@b.example") {
				t.Errorf("the address is told: %s", text)
			}
		})
	}
}

func TestOperatorFailuresHaveAdvice(t *testing.T) {
	_, failure, _ := send(t.Context(), t, target(t, failing(&aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidMailAddress.NotFound"}), ""), request("a@b.example"))
	if !strings.Contains(failure.Detail, aliyundm.Advice("InvalidMailAddress.NotFound")) {
		t.Error(failure.Detail)
	}
}

// A call that hangs ends 7.5 s after the request arrived, not after the call began.
func TestDeadlineCountsFromArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := sender(func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
			<-ctx.Done()
			return nil, &aliyundm.Error{Class: aliyundm.Unknown, Err: ctx.Err()}
		})
		req := request("a@b.example")
		<-time.After(time.Second) // the body took its time
		report, failure, _ := send(t.Context(), t, target(t, hanging, ""), req)
		if took := time.Since(req.Arrived); took != 7500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if failure == nil || failure.Code != errcode.OutcomeUnknown || report.Attempts[0].Milliseconds != 6500 {
			t.Errorf("%+v, %+v", failure, report.Attempts)
		}
	})
}

// A caller that leaves does not stop a send in progress.
func TestSendContinuesWithoutItsCaller(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	leaving := sender(func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
		leave()
		if ctx.Err() != nil {
			return nil, &aliyundm.Error{Class: aliyundm.Unknown, Err: ctx.Err()}
		}
		return &aliyundm.Receipt{EnvID: "600"}, nil
	})
	var log logBuffer
	d, c := open(t, target(t, leaving, ""), slog.New(slog.NewJSONHandler(&log, nil)))
	if _, err := d.Send(ctx, c, request("a@b.example")); err != nil {
		t.Error(err)
	}
	if err := d.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `"outcome":"sent"`) {
		t.Errorf("log: %s", log.String())
	}
}

func TestUnknownTypesAreOtherInTheLog(t *testing.T) {
	var mails []aliyundm.Mail
	req := request("a@b.example")
	req.Message.Type = "AnythingACallerMayWrite"
	if _, _, line := send(t.Context(), t, target(t, accepting(&mails), ""), req); line["type"] != "other" {
		t.Errorf("type %v", line["type"])
	}
}
