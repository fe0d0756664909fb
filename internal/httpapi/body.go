package httpapi

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// What a body may take. Logto's requests have well under 10 kB, a connector's
// JSON in a test may bring large templates along.
const (
	maxBody  = 1 << 20
	maxDrain = 8 << 20 // read and thrown away, so that the caller sees the answer
	bodyTime = 2 * time.Second
)

// readBody reads the whole body, which must have come within bodyTime of the
// request's arrival.
func readBody(w http.ResponseWriter, r *http.Request, arrived time.Time) ([]byte, error) {
	control := http.NewResponseController(w)
	// Recorders in tests know no deadlines; a real connection always does.
	_ = control.SetReadDeadline(arrived.Add(bodyTime))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if len(body) > maxBody {
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
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Code: codeInvalidRequest, Detail: "the body is larger than 1 MiB"}
	}
	return nil, &problem{Status: http.StatusRequestTimeout, Code: codeInvalidRequest, Detail: "the body did not come whole within 2 s", err: err}
}

var errBodyTooLarge = errors.New("body too large")
