package httpapi

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/registry"
)

// testRequest is Logto's request for a test mail, with type and payload beyond
// it.
type testRequest struct {
	email, usageType, locale string
	payload                  map[string]any
	config                   any // decoded JSON; nil where the request has none
}

// test sends a test mail through a stored connector or through the config that
// comes with the request, and tells the admin all about it.
func (s *Server) test(w http.ResponseWriter, r *http.Request, by caller) error {
	arrived := arrival(r)
	if s.late() {
		return problemOf(errcode.Unavailable)
	}
	f, err := readFields(w, r, testBody)
	if err != nil {
		return err
	}
	request := parseTest(f)
	if err := f.err(); err != nil {
		return err
	}
	target, err := s.tried(chi.URLParam(r, "id"), request.config)
	if err != nil {
		return err
	}
	if target.Sender == nil {
		if target.Sender, err = s.opts.NewSender(target.Composer.Config()); err != nil {
			return &problem{Code: codeInvalidConfig, Detail: err.Error()}
		}
	}
	wanted := delivery.Request{Message: request.message(), Arrived: arrived}
	if wantsEvents(r) {
		return s.testFollowed(w, r, target, wanted, by)
	}
	report, err := s.opts.Delivery.Test(r.Context(), target, wanted, by.actor)
	noteIncident(r, report.ID)
	if r.URL.Query().Get("trace") == "true" {
		writeAnswer(w, traced{Report: report, Error: tracedError(err)})
		return nil
	}
	if err != nil {
		return failure(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// wantsEvents reports whether the caller accepts server-sent events by name.
func wantsEvents(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for accepted := range strings.SplitSeq(line, ",") {
			mediaType, _, _ := strings.Cut(accepted, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream") {
				return true
			}
		}
	}
	return false
}

// testFollowed sends the report of a test after each step, and at last the whole
// story. What fails before the first step is answered as any failure.
func (s *Server) testFollowed(w http.ResponseWriter, r *http.Request, target delivery.Connector, wanted delivery.Request, by caller) error {
	var (
		stream *eventStream
		gone   error
	)
	send := func(event string, v any) {
		if stream == nil {
			stream = newEventStream(w)
		}
		data, err := json.Marshal(v)
		if err != nil {
			panic(err) // our own types always marshal
		}
		if gone == nil {
			gone = stream.send(event, data)
		}
	}
	wanted.Progress = func(step delivery.Report) { send("report", step) }
	report, err := s.opts.Delivery.Test(r.Context(), target, wanted, by.actor)
	if stream == nil && err != nil {
		return failure(err)
	}
	send("done", traced{Report: report, Error: tracedError(err)})
	stream.close()
	return nil
}

// traced is a test's whole story.
type traced struct {
	delivery.Report
	Error *problem `json:"error,omitempty"`
}

func tracedError(err error) *problem {
	if err == nil {
		return nil
	}
	p := failure(err)
	answer := answers[p.Code]
	p.Type, p.Title, p.Status = "urn:dmconnector:problem:"+string(p.Code), answer.title, answer.status
	return p
}

// message is what Logto would send for the request: the code 000000, and
// Generic, unless the admin said otherwise.
func (t testRequest) message() connector.Message {
	payload := map[string]any{"code": "000000"}
	if t.locale != "" {
		payload["locale"] = t.locale
	}
	maps.Copy(payload, t.payload)
	return connector.Message{To: t.email, Type: cmp.Or(t.usageType, connector.Generic), Payload: payload}
}

func parseTest(f *fields) testRequest {
	return testRequest{
		email:     f.required("email", "the address that the test mail goes to"),
		usageType: f.text("type"),
		locale:    f.text("locale"),
		payload:   f.nullable("payload"),
		config:    f.values["config"],
	}
}

// tried returns the connector that a test or a preview is for: the one in the
// request, which has no sender yet, else the one of that id.
func (s *Server) tried(id string, config any) (delivery.Connector, error) {
	stored, known := s.opts.Registry.Connector(id)
	switch {
	case id != FactoryID && !known:
		return delivery.Connector{}, problemOf(errcode.ConnectorNotFound)
	case config == nil && !known:
		return delivery.Connector{}, &problem{
			Code: codeInvalidRequest, Detail: "the request lacks the connector",
			Errors: []connector.Problem{{Pointer: "/config", Detail: "is missing: the connector's JSON"}},
		}
	case config == nil:
		if inForce, ok := s.opts.Delivery.Connector(id); ok {
			return inForce, nil
		}
		return delivery.Connector{}, invalidConfig(stored.Problems)
	}
	cfg, report := s.opts.Registry.Check(id, config)
	if len(report.Errors) > 0 {
		return delivery.Connector{}, invalidConfig(report.Errors)
	}
	return delivery.Connector{Composer: connector.New(cfg, s.sharedTemplates()...)}, nil
}

// sharedTemplates are the email templates as an unsaved connector has them too.
func (s *Server) sharedTemplates() []connector.EmailTemplate {
	var shared []connector.EmailTemplate
	for _, t := range s.opts.Registry.Templates(registry.TemplateFilter{}) {
		template := connector.EmailTemplate{ID: t.ID}
		if json.Unmarshal(t.Details, &template.Template) != nil {
			continue // the registry passes it over as well
		}
		template.UsageType, template.LanguageTag = t.TemplateType, t.LanguageTag
		shared = append(shared, template)
	}
	return shared
}

func invalidConfig(problems []connector.Problem) error {
	return &problem{Code: codeInvalidConfig, Detail: "the connector has errors", Errors: inConfig(problems)}
}
