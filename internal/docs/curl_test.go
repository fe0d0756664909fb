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

// checkCurl compares a call of the service with openapi.json, and tries one of the
// sandbox on a sandbox.
func checkCurl(args []string) error {
	request, hasBody, err := parseCurl(args)
	switch {
	case err != nil:
		return err
	case request.URL.Host == "LOGTO":
		return nil
	case request.URL.Port() == "8025":
		return checkSandboxCall(request)
	case !hasBody:
		return checkRoute(request)
	default:
		return checkRequest(request)
	}
}

// parseCurl returns the request that curl would send, and whether its body is known: it
// is not if it comes from a file.
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
			return nil, false, fmt.Errorf("%q is not a header", header)
		}
		request.Header.Add(name, strings.TrimSpace(value))
	}
	if request.Header.Get("Content-Type") == "" {
		// The service reads JSON whatever the content type, which openapi.json requires.
		request.Header.Set("Content-Type", "application/json")
	}
	return request, !strings.HasPrefix(body, "@"), nil
}

// A specification is openapi.json.
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
		return nil // the console, which is not part of the API
	}
	_, faults, _ := paths.FindPath(request, api.document, config.NewValidationOptions())
	if len(faults) > 0 {
		return fmt.Errorf("the service has no route %s %s", request.Method, request.URL.Path)
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

// authenticate knows the scope of a token by its name, such as ADMIN_TOKEN.
func authenticate(_ context.Context, in *config.AuthenticationInput) error {
	token := strings.ToLower(in.Request.Header.Get("Authorization"))
	switch {
	case in.SecuritySchemeName == "session", token == "":
		return errors.New("there is no token")
	case strings.Contains(token, "send") && !slices.Contains(in.Scopes, "send"):
		return errors.New("a send token does not suffice")
	case strings.Contains(token, "admin") && !slices.Contains(in.Scopes, "admin"):
		return errors.New("an admin token cannot send")
	}
	return nil
}

// checkSandboxCall fails if a sandbox without mail does not know the route.
func checkSandboxCall(request *http.Request) error {
	// The query may ask to wait for a mail: leave it out.
	in, err := http.NewRequest(request.Method, request.URL.Path, request.Body)
	if err != nil {
		return err
	}
	const token = "test-token"
	in.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	sandbox.New(sandbox.Options{Token: token}).ServeHTTP(w, in)
	if w.Code >= http.StatusBadRequest && !strings.Contains(w.Body.String(), "no such mail") {
		return fmt.Errorf("the sandbox answers %s %s with %d %s", request.Method, request.URL.Path, w.Code, w.Body)
	}
	return nil
}
