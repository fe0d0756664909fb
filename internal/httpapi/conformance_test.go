package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"dmconnector/internal/httpapi"
)

// A specification is what the document says, for tests.
type specification struct {
	requests, answers validator.Validator
	tree              map[string]any
	schemas           *jsonschema.Compiler
	mu                sync.Mutex // of schemas
}

// served is the document as the service serves it.
var served = sync.OnceValues(func() (*specification, error) {
	w := httptest.NewRecorder()
	httpapi.New(httpapi.Options{Log: discard}).ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), "GET", "/openapi.json", http.NoBody))
	return specify(w.Body.Bytes())
})

func specify(data []byte) (*specification, error) {
	doc, err := libopenapi.NewDocument(data)
	if err != nil {
		return nil, err
	}
	spec := &specification{schemas: jsonschema.NewCompiler()}
	spec.schemas.AssertFormat()
	if err := json.Unmarshal(data, &spec.tree); err != nil {
		return nil, err
	}
	if err := spec.schemas.AddResource("openapi.json", spec.tree); err != nil {
		return nil, err
	}
	strict, err := libopenapi.NewDocument(closed(data))
	if err != nil {
		return nil, err
	}
	var errs []error
	if spec.requests, errs = validator.NewValidator(doc, config.WithFormatAssertions(), config.WithAuthenticationFunc(authenticate)); errs != nil {
		return nil, errors.Join(errs...)
	}
	spec.answers, errs = validator.NewValidator(strict, config.WithFormatAssertions(),
		config.WithStrictMode(), config.WithStrictIgnorePaths("$.body", "$.body.**"), // is for headers
		config.WithStrictIgnoredHeaders("Accept-Ranges", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Cross-Origin-Resource-Policy", "Date", "Strict-Transport-Security", "X-Accel-Buffering", "X-Content-Type-Options"))
	return spec, errors.Join(errs...)
}

// closed is the document with answers that have only what is in it. Clients must
// bear more, but we must not send it.
func closed(data []byte) []byte {
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return data // which tells the reader why
	}
	eachObject(tree, "", func(pointer string, o map[string]any) {
		_, free := o["additionalProperties"]
		own := strings.Contains(pointer, "/ConnectorConfig/") // it says itself what is closed
		if _, has := o["properties"]; has && !free && !own && o["type"] != nil {
			o["additionalProperties"] = false
		}
		parent, isResponse := strings.CutSuffix(path.Dir(pointer), "/responses")
		if isResponse && (parent == "/components" || strings.HasPrefix(parent, "/paths/")) && o["headers"] == nil && o["$ref"] == nil {
			o["headers"] = map[string]any{}
		}
	})
	strict, _ := json.Marshal(tree) // decoded JSON always marshals
	return strict
}

// authenticate knows the tests' callers as the document does: by the scheme, and by
// the role of their token.
func authenticate(_ context.Context, in *config.AuthenticationInput) error {
	given := in.Request.Header.Get("Authorization")
	token, isBearer := strings.CutPrefix(strings.ToLower(given), "bearer ")
	switch in.SecuritySchemeName {
	case "session":
		if _, err := in.Request.Cookie(in.SecurityScheme.Name); err != nil || given != "" {
			return errors.New("there is no session")
		}
		return nil
	case "bearer":
		if !isBearer {
			return errors.New("it is no bearer token")
		}
	default:
		token = given
	}
	if token == "" {
		return errors.New("there is no token")
	}
	roles := map[string]string{recordedToken: "send", newerToken: "send", adminToken: "admin", newerAdminToken: "admin"}
	if role, known := roles[strings.TrimSpace(token)]; known && !slices.Contains(in.Scopes, role) {
		return fmt.Errorf("a %s token is not among %q", role, in.Scopes)
	}
	return nil
}

// holds reports why JSON is not what a schema of the document wants.
func (s *specification) holds(schema string, data []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return s.holdsAt("/components/schemas/"+schema, value)
}

// holdsAt is holds for a value and for the schema at a JSON pointer.
func (s *specification) holdsAt(pointer string, value any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	compiled, err := s.schemas.Compile("openapi.json#" + pointer)
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

// A conversation is a request and its answer.
type conversation struct {
	request *http.Request
	body    []byte // of the request
	status  int
	header  http.Header
	answer  []byte
}

// checkConversation fails the test if the conversation is not as the document has it.
func checkConversation(t *testing.T, e conversation) {
	t.Helper()
	spec, err := served()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range spec.faults(e) {
		t.Errorf("%s %s, %d: not as in openapi.json: %.1000s", e.request.Method, e.request.URL.Path, e.status, fault)
	}
}

// faults tells what is wrong about a conversation. A request that was refused may be
// anything.
func (s *specification) faults(e conversation) []string {
	if at := e.request.URL.Path; e.status == http.StatusOK && (at == "/" || strings.HasPrefix(at, "/assets/")) {
		return nil // the page
	}
	if e.request.Method == http.MethodHead {
		return nil // there is nothing to see
	}
	if code := e.header.Get("Dmconnector-Code"); code == "not_found" || code == "method_not_allowed" {
		if e.header.Get("Content-Type") == "text/plain; charset=utf-8" {
			return nil
		}
		return lines(s.holds("Problem", e.answer)) // the document has no such operation
	}
	r := e.request.Clone(context.Background())
	r.Body = io.NopCloser(bytes.NewReader(e.body))
	r.Header.Set("Content-Type", "application/json") // callers need not say so
	var found []string
	if (e.status < 400 || e.status >= 500) && !e.warned() {
		_, errs := s.requests.ValidateHttpRequestSync(r)
		for _, err := range errs {
			found = append(found, "request: "+err.Error())
		}
		r.Body = io.NopCloser(bytes.NewReader(e.body))
	}
	_, errs := s.answers.ValidateHttpResponse(r, &http.Response{
		StatusCode: e.status, Header: e.header, Body: io.NopCloser(bytes.NewReader(e.answer)), Request: r,
	})
	for _, err := range errs {
		found = append(found, "answer: "+err.Error())
	}
	if e.header.Get("Content-Type") == "text/event-stream" {
		found = append(found, s.eventFaults(e.answer)...)
	}
	return found
}

// warned reports whether the answer finds fault with the connector of a request that
// was taken nevertheless.
func (e conversation) warned() bool {
	var c struct {
		Beyond struct{ Warnings []any } `json:"dmconnector"`
	}
	return json.Unmarshal(e.answer, &c) == nil && len(c.Beyond.Warnings) > 0
}

// eventFaults tells what is wrong about the events that came whole.
func (s *specification) eventFaults(stream []byte) []string {
	schemas := map[string]string{"messages": "MessagePage", "report": "TestTrace", "done": "TestTrace"}
	var found []string
	events := strings.Split(string(stream), "\n\n")
	for _, event := range events[:len(events)-1] {
		name, data, _ := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
		if event == ":" {
			continue
		}
		for _, fault := range lines(s.holds(schemas[name], []byte(data))) {
			found = append(found, "event "+name+": "+fault)
		}
	}
	return found
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return []string{err.Error()}
}

// checked is a transport whose exchanges are checked.
type checked struct {
	t *testing.T
	*http.Transport
}

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	body := &copied{ReadCloser: r.Body}
	if r.Body != nil && r.Body != http.NoBody {
		sent.Body, sent.GetBody = body, nil
	}
	resp, err := c.Transport.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	answer := &copied{ReadCloser: resp.Body}
	answer.closed = sync.OnceFunc(func() {
		checkConversation(c.t, conversation{r, body.bytes(), resp.StatusCode, resp.Header, answer.bytes()})
	})
	resp.Body = answer
	return resp, nil
}

// copied is a body that is kept while it is read.
type copied struct {
	io.ReadCloser
	mu     sync.Mutex
	read   []byte
	closed func()
}

func (c *copied) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, p[:n]...)
	return n, err
}

func (c *copied) Close() error {
	if c.closed != nil {
		c.closed()
	}
	return c.ReadCloser.Close()
}

func (c *copied) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.read)
}
