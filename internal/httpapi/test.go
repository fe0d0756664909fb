package httpapi

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/strictjson"
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
func (s *Server) test(w http.ResponseWriter, r *http.Request) error {
	arrived := arrival(r)
	if err := s.tokens.authorize(r, scopeAdmin); err != nil {
		return err
	}
	if s.late() {
		return problemOf(codeUnavailable)
	}
	body, err := readBody(w, r, arrived)
	if err != nil {
		return err
	}
	request, err := parseTest(body)
	if err != nil {
		return err
	}
	target, err := s.testTarget(chi.URLParam(r, "id"), request.config)
	if err != nil {
		return err
	}
	report, err := s.opts.Delivery.Test(r.Context(), target, delivery.Request{Message: request.message(), Arrived: arrived}, bearer(r))
	if r.URL.Query().Get("trace") == "true" {
		writeJSON(w, http.StatusOK, "application/json", traced{Report: report, Error: tracedError(err)})
		return nil
	}
	if err != nil {
		return failure(err)
	}
	w.WriteHeader(http.StatusNoContent)
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

func parseTest(body []byte) (testRequest, error) {
	tree, err := strictjson.Decode(body)
	if syntax, ok := errors.AsType[*strictjson.Error](err); ok {
		detail := fmt.Sprintf("the body is not acceptable JSON at line %d, column %d", syntax.Line, syntax.Column)
		return testRequest{}, &problem{Code: codeInvalidRequest, Detail: detail}
	}
	fields, ok := tree.(map[string]any)
	if !ok {
		return testRequest{}, &problem{Code: codeInvalidRequest, Detail: "the body must be an object {email, config, locale?, type?, payload?}"}
	}
	var (
		t      = testRequest{config: fields["config"]}
		faults []connector.Problem
	)
	for _, field := range []struct {
		key    string
		target *string
	}{{"email", &t.email}, {"type", &t.usageType}, {"locale", &t.locale}} {
		value, present := fields[field.key]
		if *field.target, ok = value.(string); present && !ok {
			faults = append(faults, connector.Problem{Pointer: "/" + field.key, Detail: "must be a string"})
		}
	}
	if t.payload, ok = fields["payload"].(map[string]any); !ok && fields["payload"] != nil {
		faults = append(faults, connector.Problem{Pointer: "/payload", Detail: "must be an object"})
	}
	if t.email == "" && len(faults) == 0 {
		faults = append(faults, connector.Problem{Pointer: "/email", Detail: "is missing: the address that the test mail goes to"})
	}
	if len(faults) > 0 {
		return testRequest{}, &problem{Code: codeInvalidRequest, Detail: "the request is not a test of a connector", Errors: faults}
	}
	return t, nil
}

// testTarget returns the connector to test: the one in the request, else the
// stored one of that id.
func (s *Server) testTarget(id string, config any) (delivery.Connector, error) {
	stored, ok := s.opts.Delivery.Connector(id)
	switch {
	case id != FactoryID && !ok:
		return delivery.Connector{}, problemOf(codeConnectorNotFound)
	case config == nil && !ok:
		return delivery.Connector{}, &problem{
			Code: codeInvalidRequest, Detail: "the request lacks the connector",
			Errors: []connector.Problem{{Pointer: "/config", Detail: "is missing: the connector's JSON"}},
		}
	case config == nil:
		return stored, nil
	}
	return s.tried(config)
}

// tried makes a connector of a config that is not stored.
func (s *Server) tried(config any) (delivery.Connector, error) {
	cfg, report := connector.ConfigFromTree(config, connector.ParseOptions{AllowedEndpoints: s.opts.AllowedEndpoints})
	if invalid, ok := errors.AsType[*connector.InvalidError](report.Err()); ok {
		return delivery.Connector{}, &problem{Code: codeInvalidConfig, Detail: "the connector has errors", Errors: inConfig(invalid.Problems)}
	}
	sender, err := s.opts.NewSender(cfg)
	if err != nil {
		return delivery.Connector{}, &problem{Code: codeInvalidConfig, Detail: err.Error()}
	}
	return delivery.Connector{Composer: connector.New(cfg), Sender: sender}, nil
}

// inConfig moves the problems' pointers below the request's config.
func inConfig(problems []connector.Problem) []connector.Problem {
	moved := make([]connector.Problem, len(problems))
	for i, p := range problems {
		moved[i] = connector.Problem{Pointer: "/config" + p.Pointer, Detail: p.Detail}
	}
	return moved
}
