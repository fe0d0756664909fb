package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

// Messages are the stored messages. The store implements it.
type Messages interface {
	// Messages returns those that the filter chooses, newest first and without their
	// steps.
	Messages(ctx context.Context, f delivery.Filter) ([]delivery.Record, error)
	// Message reports false if there is none of that id.
	Message(ctx context.Context, id string) (delivery.Record, bool, error)
	// Statistics counts the messages that the query chooses.
	Statistics(ctx context.Context, q delivery.StatisticsQuery) (delivery.Statistics, error)
	// Retry queues a message once more. If it cannot be, the error is a
	// [*delivery.Error] with the code message_not_found, payload_gone or
	// not_retryable.
	Retry(ctx context.Context, by, id string) error
	// Hash returns the hash of what the parts name.
	Hash(parts ...string) delivery.Hash
}

// messagePage is a page of messages. Next is the id to continue before, if there are
// more.
type messagePage struct {
	Messages []delivery.Record `json:"messages"`
	Next     string            `json:"next,omitempty"`
}

func (s *Server) listMessages(w http.ResponseWriter, r *request) error {
	var given messageFilter
	if err := r.decodeQuery(&given, "state", "type", "connector", "incident", "since", "until", "before", "limit"); err != nil {
		return err
	}
	return s.writeMessages(w, r, given)
}

// searchMessages is a list whose filter is in the body, where it may have an address.
func (s *Server) searchMessages(w http.ResponseWriter, r *request) error {
	var given messageFilter
	if err := r.decode(&given, strict); err != nil {
		return err
	}
	return s.writeMessages(w, r, given)
}

func (s *Server) writeMessages(w http.ResponseWriter, r *request, given messageFilter) error {
	page, err := s.messagePage(r.Context(), s.filter(given))
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
		return messagePage{}, stateError(err)
	}
	page := messagePage{Messages: []delivery.Record{}}
	page.Messages = append(page.Messages, list[:min(limit, len(list))]...)
	if len(list) > limit {
		page.Next = list[limit-1].ID
	}
	return page, nil
}

func (s *Server) readMessage(w http.ResponseWriter, r *request) error {
	id := chi.URLParam(r.Request, "id")
	if !messageID.MatchString(id) {
		return &problem{Code: errcode.MessageNotFound}
	}
	m, ok, err := s.opts.Messages.Message(r.Context(), id)
	if err != nil {
		return stateError(err)
	}
	if !ok {
		return &problem{Code: errcode.MessageNotFound}
	}
	writeAnswer(w, m)
	return nil
}

// retryMessage sends a message again that ended without a mail, or perhaps without
// one.
func (s *Server) retryMessage(w http.ResponseWriter, r *request) error {
	id := chi.URLParam(r.Request, "id")
	if !messageID.MatchString(id) {
		return &problem{Code: errcode.MessageNotFound}
	}
	err := s.opts.Messages.Retry(r.Context(), r.by.actor, id)
	if rejected, ok := errors.AsType[*delivery.Error](err); ok {
		return rejected
	}
	if err != nil {
		return stateError(err)
	}
	writeJSON(w, http.StatusAccepted, "application/json", sent{id, delivery.StateQueued})
	return nil
}

// A messageFilter chooses messages.
type messageFilter struct {
	States    states      `json:"state"`
	Type      typeLabel   `json:"type"`
	Connector connectorID `json:"connector"`
	Address   address     `json:"address"`
	Incident  incident    `json:"incident"`
	Since     timestamp   `json:"since"`
	Until     timestamp   `json:"until"`
	Before    cursor      `json:"before"`
	Limit     pageSize    `json:"limit"`
}

func (s *Server) filter(given messageFilter) delivery.Filter {
	f := delivery.Filter{
		States: given.States, Type: string(given.Type), Connector: string(given.Connector), Incident: string(given.Incident),
		Since: given.Since.Time, Until: given.Until.Time, Before: string(given.Before), Limit: given.Limit.orDefault(),
	}
	if given.Address != "" {
		hash := s.opts.Messages.Hash("address", strings.ToLower(string(given.Address)))
		f.Address = &hash
	}
	return f
}

// states are one state or a list of them, without repetitions.
type states []delivery.State

func (list *states) parse(value any) error {
	var names []string
	for _, kind := range delivery.States() {
		names = append(names, string(kind.State))
	}
	given, isList := value.([]any)
	if !isList {
		given = []any{value}
	}
	if len(given) > len(names) {
		return fmt.Errorf("has more than %d states", len(names))
	}
	for _, item := range given {
		name, _ := item.(string)
		if !slices.Contains(names, name) {
			return errors.New("must be one or more of " + strings.Join(names, ", "))
		}
		if state := delivery.State(name); !slices.Contains(*list, state) {
			*list = append(*list, state)
		}
	}
	return nil
}

// A typeLabel is a usage type that messages are stored with.
type typeLabel string

func (t *typeLabel) parse(value any) error {
	text, _ := value.(string)
	if labels := delivery.TypeLabels(); !slices.Contains(labels, text) {
		return errors.New("must be one of " + strings.Join(labels, ", "))
	}
	*t = typeLabel(text)
	return nil
}

// A connectorID need not be that of a connector which still exists.
type connectorID string

func (id *connectorID) parse(value any) error {
	text, _ := value.(string)
	if text == "" || len(text) > 128 || !plain(text) {
		return errors.New("must be the id of a connector")
	}
	*id = connectorID(text)
	return nil
}

type address string

func (a *address) parse(value any) error {
	text, ok := value.(string)
	if !ok {
		return errors.New("must be a string")
	}
	parsed, err := connector.ParseAddress(text)
	if err != nil {
		return fmt.Errorf("is not one email address: %w", err)
	}
	*a = address(parsed)
	return nil
}

// messageID matches a message's id, a UUID, and incidentID also its end, which people
// see in an error.
var (
	messageID  = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	incidentID = regexp.MustCompile(`^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{4})?[0-9a-f]{8}$`)
)

type incident string

func (i *incident) parse(value any) error {
	text, _ := value.(string)
	if !incidentID.MatchString(text) {
		return errors.New("must be an incident or its last 8 characters")
	}
	*i = incident(text)
	return nil
}

type timestamp struct{ time.Time }

func (t *timestamp) parse(value any) (err error) {
	text, _ := value.(string)
	if t.Time, err = time.Parse(time.RFC3339, text); err != nil {
		return errors.New("must be a time such as 2026-01-31T08:00:00Z (RFC 3339)")
	}
	return nil
}

// A cursor is the id that a page ends with.
type cursor string

func (c *cursor) parse(value any) error {
	text, _ := value.(string)
	if !messageID.MatchString(text) {
		return errors.New("must be next of the page before")
	}
	*c = cursor(text)
	return nil
}

// A pageSize is the number of items on a page; 0 means the default.
type pageSize int

const (
	defaultPageSize = 50
	maxPageSize     = 200
)

func (n *pageSize) parse(value any) error {
	number, _ := value.(json.Number)
	size, err := number.Int64()
	if err != nil || size < 1 || size > maxPageSize {
		return fmt.Errorf("must be a number from 1 to %d", maxPageSize)
	}
	*n = pageSize(size)
	return nil
}

func (n pageSize) orDefault() int {
	if n == 0 {
		return defaultPageSize
	}
	return int(n)
}
