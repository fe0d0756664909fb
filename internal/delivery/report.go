package delivery

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
)

// A Report tells one message's life. It holds no code and no full address.
type Report struct {
	ID        string            `json:"id"` // the incident, in errors
	Outcome   State             `json:"outcome"`
	Recipient string            `json:"recipient"`        // masked
	Detail    string            `json:"detail,omitempty"` // why it was not sent, in plain words
	Limits    []LimitCheck      `json:"limits,omitempty"`
	Trace     *connector.Trace  `json:"template,omitempty"`
	Attempts  []Attempt         `json:"attempts,omitempty"`
	Receipt   *aliyundm.Receipt `json:"receipt,omitempty"`
}

// A LimitCheck is one limit that a message had to keep.
type LimitCheck struct {
	Limit  string `json:"limit"` // such as "recipient"
	Rate   string `json:"rate"`  // such as "10 in 10m0s"
	UsedUp bool   `json:"usedUp,omitempty"`
}

// An Attempt is one call of the provider.
type Attempt struct {
	At           time.Time `json:"at"`
	Milliseconds int64     `json:"milliseconds"`
	Error        string    `json:"error,omitempty"`
	Pending      bool      `json:"pending,omitempty"` // it has not ended yet; only of a test that is followed
}

// maxAttemptsTold bounds the report of a message that is tried for a day.
const maxAttemptsTold = 50

func (r *Report) add(a Attempt) {
	if len(r.Attempts) >= maxAttemptsTold {
		r.Attempts = slices.Delete(r.Attempts, 1, 2) // the first tells most
	}
	r.Attempts = append(r.Attempts, a)
}

// soFar returns a copy of the report of a message that is still on its way, with
// an attempt that has just begun.
func (r *Report) soFar(begun ...Attempt) Report {
	step := *r
	step.Outcome = StateSending
	step.Attempts = slices.Concat(r.Attempts, begun)
	return step
}

// logLine writes the one line of a message, or of one try of it, and has it counted.
func (d *Delivery) logLine(ctx context.Context, c Connector, req Request, mode Mode, report Report, failure *Error) {
	d.tell(c, req, mode, &report, failure)
	d.logAttempts(ctx, report)
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("incident", report.ID), slog.String("outcome", string(report.Outcome)),
		slog.String("connector", c.ID), slog.String("type", typeLabel(req.Message.Type)), slog.String("mode", string(mode)),
		slog.String("to", report.Recipient), slog.Int64("ms", time.Since(req.Arrived).Milliseconds()),
		slog.Int("attempts", len(report.Attempts)))
	if report.Trace != nil {
		attrs = append(attrs, slog.Int("template", report.Trace.Template), slog.String("language", report.Trace.LanguageTag))
		if report.Trace.EmailTemplate != "" {
			attrs = append(attrs, slog.String("email_template", report.Trace.EmailTemplate))
		}
		if len(report.Trace.Missing) > 0 {
			attrs = append(attrs, slog.Any("missing", report.Trace.Missing))
		}
		if len(report.Trace.Notes) > 0 {
			attrs = append(attrs, slog.Any("notes", report.Trace.Notes))
		}
	}
	if failure != nil {
		attrs = append(attrs, slog.String("code", string(failure.Code)), slog.String("error", failure.Error()))
		d.log.LogAttrs(ctx, failure.level(), "mail not sent", attrs...)
		return
	}
	if report.Receipt == nil {
		d.log.LogAttrs(ctx, slog.LevelInfo, "mail queued", attrs...)
		return
	}
	attrs = append(attrs, slog.String("env_id", report.Receipt.EnvID), slog.String("request_id", report.Receipt.RequestID))
	d.log.LogAttrs(ctx, slog.LevelInfo, "mail sent", attrs...)
}

// logAttempts writes a line of each attempt, for those who debug.
func (d *Delivery) logAttempts(ctx context.Context, report Report) {
	if !d.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	for i, a := range report.Attempts {
		d.log.LogAttrs(ctx, slog.LevelDebug, "attempt", slog.String("incident", report.ID), slog.Int("attempt", i+1),
			slog.Time("at", a.At), slog.Int64("ms", a.Milliseconds), slog.String("error", a.Error))
	}
}

// otherType stands for every usage type that is not Logto's.
const otherType = "other"

// typeLabel keeps callers from filling the log with words of their own.
func typeLabel(usageType string) string {
	if slices.Contains(connector.UsageTypes(), usageType) {
		return usageType
	}
	return otherType
}

// TypeLabels lists the types that messages are remembered with.
func TypeLabels() []string { return append(connector.UsageTypes(), otherType) }
