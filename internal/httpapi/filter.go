package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
)

// queryFields returns a list's query as if it were the body of a search. Keys
// and values are not repeated in errors: somebody may have put an address there.
func queryFields(r *http.Request, known ...string) (*fields, error) {
	f := &fields{values: make(map[string]any)}
	for key, given := range r.URL.Query() {
		switch {
		case key == "address" || key == "email" || key == "to" || key == "recipient":
			return nil, &problem{Code: codeInvalidRequest, Detail: "an address does not belong into a URL: POST it to /api/messages/search"}
		case !slices.Contains(known, key):
			return nil, &problem{Code: codeInvalidRequest, Detail: "the query has an unknown key; known are " + strings.Join(known, ", ")}
		case key == "state" || key == "outcome":
			f.values[key] = anyList(strings.Split(strings.Join(given, ","), ","))
		case len(given) > 1:
			f.fault(key, "is given more than once")
		case key == "limit":
			f.values[key] = json.Number(given[0])
		default:
			f.values[key] = given[0]
		}
	}
	return f, nil
}

var (
	queryKeys  = []string{"state", "outcome", "type", "connector", "since", "until", "before", "limit"}
	searchKeys = append([]string{"address"}, queryKeys...)
)

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// parseFilter reads a list's filter. A state may be called outcome as well.
func (s *Server) parseFilter(f *fields) delivery.Filter {
	f.only(searchKeys...)
	return delivery.Filter{
		States:    append(f.states("state"), f.states("outcome")...),
		Type:      f.usageType("type"),
		Connector: f.filled("connector"),
		Address:   s.addressHash(f, "address"),
		Since:     f.time("since"),
		Until:     f.time("until"),
		Before:    f.cursor("before"),
		Limit:     f.pageSize("limit"),
	}
}

// filled is text that must not be empty where it is given.
func (f *fields) filled(key string) string {
	value, ok := member[string](f, key, "a string")
	if ok && value == "" {
		f.fault(key, "is empty")
	}
	return value
}

var states = []delivery.State{
	delivery.StateQueued, delivery.StateSending, delivery.StateSent, delivery.StateFailed,
	delivery.StateDead, delivery.StateExpired, delivery.StateUnknown,
}

// states reads one state, or a list of them.
func (f *fields) states(key string) []delivery.State {
	given, present := f.values[key]
	list, isList := given.([]any)
	if !isList && present {
		list = []any{given}
	}
	var found []delivery.State
	for _, item := range list {
		name, _ := item.(string)
		state := delivery.State(name)
		if !slices.Contains(states, state) {
			f.fault(key, "must be of queued, sending, sent, failed, dead, expired and unknown")
			return nil
		}
		found = append(found, state)
	}
	return found
}

// usageType reads one of the types that messages are remembered with.
func (f *fields) usageType(key string) string {
	value, ok := member[string](f, key, "a string")
	if ok && value != "other" && !slices.Contains(connector.UsageTypes(), value) {
		f.fault(key, "must be one of "+strings.Join(connector.UsageTypes(), ", ")+" and other")
	}
	return value
}

func (f *fields) time(key string) time.Time {
	value, ok := member[string](f, key, "a string")
	at, err := time.Parse(time.RFC3339, value)
	if ok && err != nil {
		f.fault(key, "must be a time such as 2026-01-31T08:00:00Z (RFC 3339)")
	}
	return at
}

func (f *fields) cursor(key string) string {
	value, ok := member[string](f, key, "a string")
	if ok && !messageID.MatchString(value) {
		f.fault(key, "must be the next of the page before")
	}
	return value
}

func (f *fields) pageSize(key string) int {
	value, ok := member[json.Number](f, key, "a number")
	if !ok {
		return pageSize
	}
	n, err := strconv.Atoi(value.String())
	if err != nil || n < 1 || n > maxPageSize {
		f.fault(key, "must be from 1 to "+strconv.Itoa(maxPageSize))
	}
	return n
}

// addressHash returns the hash under which a recipient is remembered.
func (s *Server) addressHash(f *fields, key string) *delivery.Hash {
	value, ok := member[string](f, key, "a string")
	if !ok {
		return nil
	}
	address, err := connector.ParseAddress(value)
	if err != nil {
		f.fault(key, "is not one mail address: "+err.Error())
		return nil
	}
	hash := s.opts.Messages.Hash("address", strings.ToLower(address))
	return &hash
}
