package httpapi

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/go-chi/chi/v5"

	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

// Messages remembers what became of the messages. The store is the real one.
type Messages interface {
	// Messages returns those that the filter chooses, from the newest on and
	// without their reports.
	Messages(ctx context.Context, f delivery.Filter) ([]delivery.Record, error)
	// Message reports false if there is none of that id.
	Message(ctx context.Context, id string) (delivery.Record, bool, error)
	// Statistics counts the messages that the query chooses.
	Statistics(ctx context.Context, q delivery.StatisticsQuery) (delivery.Statistics, error)
	// Retry has a message sent again. If it cannot be, the error is a
	// [*delivery.Error] with the code message_not_found, payload_gone or
	// not_retryable.
	Retry(ctx context.Context, by, id string) error
	// Hash returns the hash of what the parts name.
	Hash(parts ...string) delivery.Hash
}

// messageID is what an id of a message looks like: a UUID.
var messageID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// messagePage is a page of messages. Next is the id to go on before, if there
// are more.
type messagePage struct {
	Messages []delivery.Record `json:"messages"`
	Next     string            `json:"next,omitempty"`
}

func (s *Server) listMessages(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := queryFields(r, queryKeys...)
	if err != nil {
		return err
	}
	return s.writeMessages(w, r, f)
}

// searchMessages is a list whose filter comes in the body, where an address may
// be in it.
func (s *Server) searchMessages(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	return s.writeMessages(w, r, f)
}

func (s *Server) writeMessages(w http.ResponseWriter, r *http.Request, f *fields) error {
	filter := s.parseFilter(f)
	if err := f.err(); err != nil {
		return err
	}
	page, err := s.messagePage(r.Context(), filter)
	if err != nil {
		return err
	}
	writeAnswer(w, page)
	return nil
}

func (s *Server) messagePage(ctx context.Context, filter delivery.Filter) (messagePage, error) {
	limit := filter.Limit
	filter.Limit++ // one more tells whether there is a next page
	list, err := s.opts.Messages.Messages(ctx, filter)
	if err != nil {
		return messagePage{}, stateProblem(err)
	}
	page := messagePage{}
	page.Messages, page.Next = cut(list, limit, func(m delivery.Record) string { return m.ID })
	if page.Messages == nil {
		page.Messages = []delivery.Record{}
	}
	return page, nil
}

func (s *Server) readMessage(w http.ResponseWriter, r *http.Request, _ caller) error {
	id := chi.URLParam(r, "id")
	if !messageID.MatchString(id) {
		return problemOf(errcode.MessageNotFound)
	}
	m, ok, err := s.opts.Messages.Message(r.Context(), id)
	if err != nil {
		return stateProblem(err)
	}
	if !ok {
		return problemOf(errcode.MessageNotFound)
	}
	writeAnswer(w, m)
	return nil
}

// retryMessage has a message that ended without a mail, or perhaps without one,
// sent again.
func (s *Server) retryMessage(w http.ResponseWriter, r *http.Request, by caller) error {
	id := chi.URLParam(r, "id")
	if !messageID.MatchString(id) {
		return problemOf(errcode.MessageNotFound)
	}
	err := s.opts.Messages.Retry(r.Context(), by.actor, id)
	if refused, ok := errors.AsType[*delivery.Error](err); ok {
		return &problem{Code: refused.Code, Detail: refused.Detail}
	}
	if err != nil {
		return stateProblem(err)
	}
	writeJSON(w, http.StatusAccepted, "application/json", sent{ID: id, State: string(delivery.StateQueued)})
	return nil
}
