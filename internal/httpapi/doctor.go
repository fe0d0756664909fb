package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/doctor"
	"dmconnector/internal/errcode"
)

// An Examiner looks for what keeps a connector from sending.
type Examiner func(context.Context, *connector.Config) (doctor.Report, error)

// examinationTime ends an examination in time for its answer to be written.
const examinationTime = 25 * time.Second

// examine has a stored connector, or the config that comes with the request,
// looked at. Direct Mail bears few of the questions a minute, so that only one is
// under way at a time.
func (s *Server) examine(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	f.only("config")
	if err := f.err(); err != nil {
		return err
	}
	target, err := s.tried(chi.URLParam(r, "id"), f.values["config"])
	if err != nil {
		return err
	}
	select {
	case s.examining <- struct{}{}:
		defer func() { <-s.examining }()
	default:
		return &problem{Code: errcode.Overloaded, Detail: "another connector is being looked at", retryAfter: time.Second}
	}
	ctx, cancel := context.WithTimeout(r.Context(), examinationTime)
	defer cancel()
	go func() { // a server that stops does not wait for it
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	report, err := s.opts.Examine(ctx, target.Composer.Config())
	if err != nil {
		return &problem{Code: codeInvalidConfig, Detail: err.Error()}
	}
	if s.draining.Load() != nil {
		return problemOf(errcode.Unavailable) // it was cut short
	}
	writeAnswer(w, report)
	return nil
}
