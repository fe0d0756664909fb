package docs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/paths"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/spf13/pflag"

	"dmconnector/aliyundm/sandbox"
)

// others are the hosts of which nothing is known here, as the documents write them.
var others = []string{"LOGTO"}

// checkCurl holds a call of the service to its OpenAPI document, and one of the
// sandbox to the sandbox.
func checkCurl(args []string) error {
	request, hasBody, err := parseCurl(args)
	switch {
	case err != nil:
		return err
	case slices.Contains(others, request.URL.Host):
		return nil
	case request.URL.Port() == "8025":
		return checkSandboxCall(request)
	case !hasBody:
		// It comes from elsewhere: the route is all that is known.
		return checkRoute(request)
	default:
		return checkRequest(request)
	}
}

// parseCurl makes the request that curl would, and says whether its body is known.
func parseCurl(args []string) (request *http.Request, hasBody bool, err error) {
	flags := pflag.NewFlagSet("curl", pflag.ContinueOnError)
	method := flags.StringP("request", "X", "", "")
	headers := flags.StringArrayP("header", "H", nil, "")
	data := flags.StringP("data", "d", "", "")
	binary := flags.String("data-binary", "", "")
	asJSON := flags.String("json", "", "")
	for short, long := range map[string]string{"f": "fail", "s": "silent", "S": "show-error", "k": "insecure", "i": "include", "N": "no-buffer", "v": "verbose"} {
		flags.BoolP(long, short, false, "")
	}
	for short, long := range map[string]string{"o": "output", "w": "write-out", "b": "cookie", "c": "cookie-jar", "m": "max-time"} {
		flags.StringP(long, short, "", "")
	}
	flags.String("cacert", "", "")
	if err := flags.Parse(args); err != nil {
		return nil, false, err
	}
	if flags.NArg() != 1 {
		return nil, false, fmt.Errorf("%d addresses", flags.NArg())
	}
	address := flags.Arg(0)
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	body := *data + *binary + *asJSON
	fromElsewhere := strings.HasPrefix(body, "@")
	if *method == "" && body != "" {
		*method = http.MethodPost
	}
	if request, err = http.NewRequest(*method, address, strings.NewReader(body)); err != nil {
		return nil, false, err
	}
	if body == "" {
		request.Body, request.ContentLength = http.NoBody, 0
	}
	for _, header := range *headers {
		name, value, isHeader := strings.Cut(header, ":")
		if !isHeader {
			return nil, false, fmt.Errorf("%q is no header", header)
		}
		request.Header.Add(name, strings.TrimSpace(value))
	}
	if request.Header.Get("Content-Type") == "" {
		// The service does not look at it, and reads JSON.
		request.Header.Set("Content-Type", "application/json")
	}
	return request, !fromElsewhere, nil
}

// A specification is the API as its OpenAPI document describes it.
type specification struct {
	document *v3.Document
	requests validator.Validator
}

var service = sync.OnceValues(func() (specification, error) {
	data, err := os.ReadFile(filepath.Join(root, "internal/httpapi/openapi.json"))
	if err != nil {
		return specification{}, err
	}
	document, err := libopenapi.NewDocument(data)
	if err != nil {
		return specification{}, err
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return specification{}, err
	}
	return specification{&model.Model, validator.NewValidatorFromV3Model(&model.Model, config.WithAuthenticationFunc(authenticate))}, nil
})

func checkRoute(request *http.Request) error {
	api, err := service()
	if err != nil {
		return err
	}
	if request.Method == http.MethodGet && strings.Trim(request.URL.Path, "/") == "" {
		return nil // the console, which is no part of the API
	}
	_, faults, _ := paths.FindPath(request, api.document, config.NewValidationOptions())
	if len(faults) > 0 {
		return fmt.Errorf("no route of the service: %s %s", request.Method, request.URL.Path)
	}
	return nil
}

func checkRequest(request *http.Request) error {
	if err := checkRoute(request); err != nil || strings.Trim(request.URL.Path, "/") == "" {
		return err
	}
	api, err := service()
	if err != nil {
		return err
	}
	_, faults := api.requests.ValidateHttpRequestSync(request)
	var errs []error
	for _, fault := range faults {
		reason := fault.Message + ": " + fault.Reason
		for _, detail := range fault.SchemaValidationErrors {
			reason += "; " + detail.FieldPath + " " + detail.Reason
		}
		errs = append(errs, errors.New(reason))
	}
	return errors.Join(errs...)
}

// authenticate takes a token for what its name says, such as ADMIN_TOKEN.
func authenticate(_ context.Context, in *config.AuthenticationInput) error {
	token := strings.ToLower(in.Request.Header.Get("Authorization"))
	switch {
	case in.SecuritySchemeName == "session", token == "":
		return errors.New("there is no token")
	case strings.Contains(token, "send") && !slices.Contains(in.Scopes, "send"):
		return errors.New("a token for sending is not enough")
	case strings.Contains(token, "admin") && !slices.Contains(in.Scopes, "admin"):
		return errors.New("a token for administration cannot send")
	}
	return nil
}

// checkSandboxCall asks a sandbox, which must know the route. It has no mail.
func checkSandboxCall(request *http.Request) error {
	// Without the query, which may want to wait for a mail.
	in, err := http.NewRequest(request.Method, request.URL.Path, request.Body)
	if err != nil {
		return err
	}
	const token = "a token of this test"
	in.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	sandbox.New(sandbox.Options{Token: token}).ServeHTTP(w, in)
	if w.Code >= http.StatusBadRequest && !strings.Contains(w.Body.String(), "no such mail") {
		return fmt.Errorf("the sandbox answers %s %s with %d %s", request.Method, request.URL.Path, w.Code, w.Body)
	}
	return nil
}
