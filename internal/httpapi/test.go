package httpapi

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/doctor"
	"dmconnector/internal/errcode"
)

// trial returns the connector that a test, a preview or an examination is for: the one
// in the request, which has no sender yet, else the active one with that id.
func (s *Server) trial(id string, config any) (delivery.Connector, error) {
	stored, known := s.opts.Registry.Connector(id)
	switch {
	case id != FactoryID && !known:
		return delivery.Connector{}, &problem{Code: errcode.ConnectorNotFound}
	case config == nil && !known:
		return delivery.Connector{}, invalidRequest([]connector.Problem{{Pointer: "/config", Detail: "is missing: the connector's JSON"}})
	case config == nil:
		if active, ok := s.opts.Delivery.Connector(id); ok {
			return active, nil
		}
		return delivery.Connector{}, invalidConfig(stored.Problems)
	}
	cfg, report := s.opts.Registry.Check(id, config)
	if len(report.Errors) > 0 {
		return delivery.Connector{}, invalidConfig(report.Errors)
	}
	return delivery.Connector{Composer: connector.New(cfg, s.opts.Registry.SharedTemplates()...)}, nil
}

func invalidConfig(problems []connector.Problem) error {
	return &problem{Code: errcode.InvalidConfig, Detail: "the connector has errors", Errors: inConfig(problems)}
}

// testRequest is Logto's request for a test mail, with a type and a payload beyond it.
type testRequest struct {
	Email   string         `json:"email" required:"the address that the test mail goes to"`
	Type    string         `json:"type"`
	Locale  string         `json:"locale"`
	Payload map[string]any `json:"payload"`
	Config  any            `json:"config"`
}

// checkType returns an error if the usage type of a trial is probably misspelt. The send
// routes take any, for backends whose types come before their templates.
func checkType(c *connector.Connector, usageType string) error {
	if err := c.CheckUsageType(usageType); usageType != "" && err != nil {
		return invalidRequest([]connector.Problem{{Pointer: "/type", Detail: err.Error()}})
	}
	return nil
}

// testTrace is what happened to a test mail, step by step.
type testTrace struct {
	delivery.Report
	Error *problem `json:"error,omitempty"`
}

// eventStreamType finds server-sent events in an Accept header.
var eventStreamType = regexp.MustCompile(`(?i)(^|,)\s*text/event-stream\s*(,|;|$)`)

// test sends a test mail. It answers 204, with ?trace=true what happened, and to those
// who accept server-sent events each step as it happens.
func (s *Server) test(w http.ResponseWriter, r *request) error {
	var given testRequest
	if err := r.decode(&given, lenient); err != nil {
		return err
	}
	target, err := s.trial(r.id(), given.Config)
	if err != nil {
		return err
	}
	if err := checkType(target.Composer, given.Type); err != nil {
		return err
	}
	if target.Sender == nil {
		if target.Sender, err = s.opts.NewSender(target.Composer.Config()); err != nil {
			return &problem{Code: errcode.InvalidConfig, Detail: err.Error()}
		}
	}
	// Logto sends the code 000000 as Generic.
	payload := map[string]any{"code": "000000"}
	if given.Locale != "" {
		payload["locale"] = given.Locale
	}
	maps.Copy(payload, given.Payload)
	message := connector.Message{To: given.Email, Type: cmp.Or(given.Type, connector.Generic), Payload: payload}
	wanted := delivery.Request{Message: message, Arrived: r.arrived}
	if eventStreamType.MatchString(strings.Join(r.Header.Values("Accept"), ",")) {
		return s.streamTest(w, r, target, wanted)
	}
	report, err := s.opts.Delivery.Test(r.Context(), target, wanted, r.by.actor)
	r.incident = report.ID
	if r.URL.Query().Get("trace") == "true" {
		writeAnswer(w, testTrace{report, problemOf(err)})
		return nil
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// streamTest sends the report of a test after each step, and the whole trace at the
// end. A test that fails before its first step is answered like any other failure.
func (s *Server) streamTest(w http.ResponseWriter, r *request, target delivery.Connector, wanted delivery.Request) error {
	var (
		stream *eventStream
		gone   error
	)
	send := func(event string, v any) {
		if stream == nil {
			stream = newEventStream(w)
		}
		if gone == nil {
			gone = stream.send(event, mustMarshal(v))
		}
	}
	wanted.Progress = func(step delivery.Report) { send("report", step) }
	report, err := s.opts.Delivery.Test(r.Context(), target, wanted, r.by.actor)
	if stream == nil && err != nil {
		return err
	}
	r.incident = report.ID
	send("done", testTrace{report, problemOf(err)})
	return nil
}

// previewRequest asks for a mail. Values that the payload does not have come from a
// sample, unless Sample is false.
type previewRequest struct {
	Type    string         `json:"type" required:"a usage type, such as SignIn"`
	Payload map[string]any `json:"payload"`
	Sample  *bool          `json:"sample"`
	Locale  string         `json:"locale"`
	Config  any            `json:"config"`
	To      address        `json:"to"`
}

// previewed is a mail as it would be sent, and how its template was chosen.
type previewed struct {
	To           string          `json:"to"`
	AccountName  string          `json:"accountName"` // the sender address
	FromAlias    string          `json:"fromAlias,omitempty"`
	ReplyAddress string          `json:"replyAddress,omitempty"`
	TagName      string          `json:"tagName,omitempty"`
	Subject      string          `json:"subject"`
	HTML         string          `json:"html,omitempty"`
	Text         string          `json:"text,omitempty"`
	Template     connector.Trace `json:"template"`
}

// preview composes a mail and sends nothing.
func (s *Server) preview(r *request, given previewRequest) (any, error) {
	target, err := s.trial(r.id(), given.Config)
	if err != nil {
		return nil, err
	}
	if err := checkType(target.Composer, given.Type); err != nil {
		return nil, err
	}
	message := connector.SampleMessage(given.Type)
	if given.Sample != nil && !*given.Sample {
		message.Payload = map[string]any{}
	}
	if given.Locale != "" {
		message.Payload["locale"] = given.Locale
	}
	maps.Copy(message.Payload, given.Payload)
	message.To = cmp.Or(string(given.To), message.To)
	mail, trace, err := target.Composer.Compose(message)
	if err != nil {
		return nil, delivery.ComposeError("", err)
	}
	return previewed{
		To: mail.To, AccountName: mail.AccountName, FromAlias: mail.FromAlias, ReplyAddress: mail.ReplyAddress, TagName: mail.TagName,
		Subject: mail.Subject, HTML: mail.HTMLBody, Text: mail.TextBody, Template: trace,
	}, nil
}

// An Examiner looks for what keeps a connector from sending.
type Examiner func(context.Context, *connector.Config) (doctor.Report, error)

type examination struct {
	Config any `json:"config"`
}

// examinationTime ends an examination in time for its answer to be written.
const examinationTime = 25 * time.Second

// examine examines a stored connector, or the config in the request. Direct Mail
// allows few of the questions a minute, so only one examination runs at a time.
func (s *Server) examine(r *request, given examination) (any, error) {
	target, err := s.trial(r.id(), given.Config)
	if err != nil {
		return nil, err
	}
	select {
	case s.examining <- struct{}{}:
		defer func() { <-s.examining }()
	default:
		return nil, &problem{Code: errcode.Overloaded, Detail: "another doctor run is in progress", retryAfter: time.Second}
	}
	ctx, cancel := context.WithTimeout(r.Context(), examinationTime)
	defer cancel()
	go func() { // do not hold up a stop
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	report, err := s.opts.Examine(ctx, target.Composer.Config())
	if err != nil {
		return nil, &problem{Code: errcode.InvalidConfig, Detail: err.Error()}
	}
	if s.draining.Load() != nil {
		return nil, &problem{Code: errcode.Unavailable, Detail: "the service is shutting down"} // the report may be incomplete
	}
	return report, nil
}
