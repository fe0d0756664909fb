package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"dmconnector/internal/strictjson"
)

// A bodyLimit is what a request's body may take.
type bodyLimit struct {
	mebibytes int
	time      time.Duration // from the request's arrival until the body is whole
	public    bool          // errors are for anybody
}

// Logto's requests have well under 10 kB. A connector's JSON brings its templates
// along, of which Direct Mail takes 6 MB.
var (
	sendBody  = bodyLimit{mebibytes: 1, time: 2 * time.Second, public: true}
	testBody  = bodyLimit{mebibytes: 8, time: 2 * time.Second} // a mail is still to be sent in time
	adminBody = bodyLimit{mebibytes: 8, time: 10 * time.Second}
)

const maxDrain = 8 << 20 // read and thrown away, so that the caller sees the answer

// readBody reads the whole body.
func readBody(w http.ResponseWriter, r *http.Request, arrived time.Time, limit bodyLimit) ([]byte, error) {
	control := http.NewResponseController(w)
	most := limit.mebibytes << 20
	// Recorders in tests know no deadlines; a real connection always does.
	_ = control.SetReadDeadline(arrived.Add(limit.time))
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(most)+1))
	if len(body) > most {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
		err = errBodyTooLarge
	}
	_ = control.SetReadDeadline(time.Time{})
	if err == nil {
		return body, nil
	}
	// What has not come yet must not be read as the next request.
	w.Header().Set("Connection", "close")
	if errors.Is(err, errBodyTooLarge) {
		detail := fmt.Sprintf("the body is larger than %d MiB", limit.mebibytes)
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Code: codeInvalidRequest, Detail: detail, public: limit.public}
	}
	detail := fmt.Sprintf("the body did not come whole within %v", limit.time)
	return nil, &problem{Status: http.StatusRequestTimeout, Code: codeInvalidRequest, Detail: detail, public: limit.public, err: err}
}

var errBodyTooLarge = errors.New("body too large")

// readFields reads a body that is an admin's JSON object. Its Content-Type does
// not matter: nothing else than JSON is understood anyway.
func readFields(w http.ResponseWriter, r *http.Request, limit bodyLimit) (*fields, error) {
	body, err := readBody(w, r, arrival(r), limit)
	if err != nil {
		return nil, err
	}
	tree, err := strictjson.Decode(body)
	if syntax, ok := errors.AsType[*strictjson.Error](err); ok {
		detail := fmt.Sprintf("the body is not acceptable JSON at line %d, column %d", syntax.Line, syntax.Column)
		return nil, &problem{Code: codeInvalidRequest, Detail: detail}
	}
	values, ok := tree.(map[string]any)
	if !ok {
		return nil, &problem{Code: codeInvalidRequest, Detail: "the body must be a JSON object"}
	}
	return &fields{values: values}, nil
}
