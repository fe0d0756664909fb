package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/words"
)

// Messages are the stored messages. The store implements it.
type Messages interface {
	// Messages returns those that the filter chooses, newest first and without their
	// steps. The list is not nil.
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

func (s *Server) listMessages(r *request) (any, error) {
	var given messageFilter
	if err := r.decodeQuery(&given, "state", "type", "connector", "incident", "since", "until", "before", "limit"); err != nil {
		return nil, err
	}
	return s.messagePage(r.Context(), s.filter(given))
}

// searchMessages is a list whose filter is in the body, where it may have an address.
func (s *Server) searchMessages(r *request, given messageFilter) (any, error) {
	return s.messagePage(r.Context(), s.filter(given))
}

func (s *Server) messagePage(ctx context.Context, filter delivery.Filter) (messagePage, error) {
	limit := filter.Limit
	filter.Limit++ // one more tells whether there is a next page
	list, err := s.opts.Messages.Messages(ctx, filter)
	page := messagePage{Messages: list}
	if len(list) > limit {
		page = messagePage{list[:limit], list[limit-1].ID}
	}
	return page, stateError(err)
}

// isMessage rejects an id that no message can have.
func isMessage(_ http.ResponseWriter, r *request) error {
	if !messageID.MatchString(r.id()) {
		return &problem{Code: errcode.MessageNotFound}
	}
	return nil
}

func (s *Server) readMessage(r *request) (any, error) {
	m, ok, err := s.opts.Messages.Message(r.Context(), r.id())
	if err == nil && !ok {
		return nil, &problem{Code: errcode.MessageNotFound}
	}
	return m, stateError(err)
}

// retryMessage sends a message again that ended without a mail, or perhaps without
// one.
func (s *Server) retryMessage(r *request) (any, error) {
	err := s.opts.Messages.Retry(r.Context(), r.by.actor, r.id())
	return sent{r.id(), delivery.StateQueued}, stateError(err)
}

// A messageFilter chooses messages.
type messageFilter struct {
	States    states    `json:"state"`
	Type      string    `json:"type" form:"type"`
	Connector string    `json:"connector" form:"connector"`
	Address   address   `json:"address"`
	Incident  string    `json:"incident" form:"incident"`
	Since     timestamp `json:"since"`
	Until     timestamp `json:"until"`
	Before    string    `json:"before" form:"cursor"`
	Limit     pageSize  `json:"limit"`
}

func (s *Server) filter(given messageFilter) delivery.Filter {
	f := delivery.Filter{
		States: given.States, Type: given.Type, Connector: given.Connector, Incident: given.Incident,
		Since: given.Since.Time, Until: given.Until.Time, Before: given.Before, Limit: cmp.Or(int(given.Limit), defaultPageSize),
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
			return errors.New("must be one or more of " + strings.Join(names, ", ") + words.DidYouMean(name, names))
		}
		if state := delivery.State(name); !slices.Contains(*list, state) {
			*list = append(*list, state)
		}
	}
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

type timestamp struct{ time.Time }

func (t *timestamp) parse(value any) (err error) {
	text, _ := value.(string)
	if t.Time, err = time.Parse(time.RFC3339, text); err != nil {
		return errors.New("must be a time such as 2026-01-31T08:00:00Z (RFC 3339)")
	}
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
