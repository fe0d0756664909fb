package registry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

// maxTries bounds how often a change is tried while others change the same.
const maxTries = 5

// An Error says why a change was refused.
type Error struct {
	Code     errcode.Code
	Detail   string
	Problems []connector.Problem // pointers are into the config, or into the request's body
}

func (e *Error) Error() string { return e.Detail }

// A Patch is what an admin gives of a connector. Nil fields stay as they are; a
// new connector has empty ones.
type Patch struct {
	Config             any // decoded JSON, by package strictjson's rules
	Metadata           map[string]any
	SyncProfile        *bool
	EnableTokenStorage *bool
}

// Check validates a config from an admin, for the connector with the id (empty:
// for none), and returns it with every problem and warning. Masks of secrets are
// resolved where that is allowed.
func (r *Registry) Check(id string, config any) (*connector.Config, connector.Report) {
	base, ok := r.view.Load().connectors[id]
	if !ok || base.Source != FromState {
		base = &loaded{}
	}
	l := r.configured(base, config)
	return l.config, connector.Report{Errors: l.Problems, Warnings: l.Warnings}
}

// configured loads a connector with a config from an admin.
func (r *Registry) configured(base *loaded, config any) *loaded {
	tree := withoutEmpty(config)
	if tree == nil {
		tree = map[string]any{} // the report then says all that is missing
	}
	root, _ := tree.(map[string]any)
	problems := unmask(root, base.text)
	cfg, report := connector.CheckTree(tree, r.parseOptions())
	report.Errors = append(report.Errors, problems...)
	return r.load(base.Connector, marshal(root), cfg, report, base)
}

// Create adds a connector; without an id it gets a random one. by says whose token
// it was.
func (r *Registry) Create(ctx context.Context, by, id string, p Patch) (Connector, error) {
	if id == "" {
		id = newID(12) // as long as Logto's
	}
	if refused := r.checkID(id); refused != nil {
		return Connector{}, refused
	}
	if p.Config == nil {
		p.Config = map[string]any{}
	}
	created := Change{Actor: by, Action: "connector.create", Subject: id}
	return r.patch(ctx, created, p, r.opts.Store.InsertConnector, func() (*loaded, error) {
		if _, ok := r.Connector(id); ok {
			return nil, &Error{Code: errcode.ConnectorExists, Detail: "the id " + id + " is taken by another connector"}
		}
		empty := StoredConnector{ID: id, Metadata: json.RawMessage("{}")}
		return &loaded{Connector: Connector{StoredConnector: empty, Source: FromState}}, nil
	})
}

// Update changes a connector, if it still has the version; 0 means any.
func (r *Registry) Update(ctx context.Context, by, id string, version int64, p Patch) (Connector, error) {
	updated := Change{Actor: by, Action: "connector.update", Subject: id}
	return r.patch(ctx, updated, p, r.opts.Store.UpdateConnector, func() (*loaded, error) { return r.changeable(id, version) })
}

// patch stores the next version of the connector that find returns.
func (r *Registry) patch(ctx context.Context, c Change, p Patch, store func(context.Context, StoredConnector, Change) error, find func() (*loaded, error)) (Connector, error) {
	var result Connector
	err := r.change(ctx, c.Action+" "+c.Subject, func() error {
		former, err := find()
		if err != nil {
			return err
		}
		next, fields, err := r.patched(former, p)
		if err != nil {
			return err
		}
		if len(fields) == 0 {
			result = former.Connector
			return nil
		}
		result, c.Detail = next.Connector, fieldsDetail(fields)
		unmasked := next.StoredConnector
		unmasked.Config = next.text
		return store(ctx, unmasked, c)
	})
	if err != nil {
		return Connector{}, err
	}
	return result, nil
}

// patched returns the next version of a connector, and which of its fields the
// patch changes.
func (r *Registry) patched(stored *loaded, p Patch) (*loaded, []string, error) {
	var fields []string
	next := *stored
	if p.Config != nil {
		next = *r.configured(stored, p.Config)
		if !next.Active {
			return nil, nil, &Error{Code: errcode.InvalidConfig, Detail: "the connector has errors", Problems: next.Problems}
		}
		fields = changedFields(stored.text, next.text)
	}
	next.Version++
	next.Updated = time.Now().UTC().Truncate(time.Millisecond)
	if stored.Version == 0 {
		next.Created = next.Updated
	}
	if p.Metadata != nil {
		next.Metadata = marshal(p.Metadata)
		if len(changedFields(stored.Metadata, next.Metadata)) > 0 {
			fields = append(fields, "metadata")
		}
	}
	if p.SyncProfile != nil && *p.SyncProfile != stored.SyncProfile {
		next.SyncProfile, fields = *p.SyncProfile, append(fields, "syncProfile")
	}
	if p.EnableTokenStorage != nil && *p.EnableTokenStorage != stored.EnableTokenStorage {
		next.EnableTokenStorage, fields = *p.EnableTokenStorage, append(fields, "enableTokenStorage")
	}
	return &next, fields, nil
}

// Delete deletes a connector, if it still has the version; 0 means any.
func (r *Registry) Delete(ctx context.Context, by, id string, version int64) error {
	return r.change(ctx, "delete connector "+id, func() error {
		if _, err := r.changeable(id, version); err != nil {
			return err
		}
		return r.opts.Store.DeleteConnector(ctx, id, version, Change{Actor: by, Action: "connector.delete", Subject: id})
	})
}

// change makes a change on the configuration as it is now, and again if another
// process came in between. Then it activates the change.
func (r *Registry) change(ctx context.Context, what string, step func() error) error {
	for range maxTries {
		if err := r.refresh(ctx); err != nil {
			return err
		}
		err := step()
		if errors.Is(err, ErrChanged) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		// The change is committed already: do not fail its caller, and ignore its cancellation.
		if err := r.refresh(context.WithoutCancel(ctx)); err != nil {
			r.opts.Log.WarnContext(ctx, "cannot activate a change yet, will retry", "error", err)
		}
		return nil
	}
	return fmt.Errorf("%s: %w", what, errChangedMeanwhile)
}

var errChangedMeanwhile = &Error{Code: errcode.PreconditionFailed, Detail: "it was changed meanwhile: read it again"}

// changeable returns the stored connector if it may be changed.
func (r *Registry) changeable(id string, version int64) (*loaded, error) {
	l, ok := r.view.Load().connectors[id]
	switch {
	case !ok:
		return nil, &Error{Code: errcode.ConnectorNotFound, Detail: "there is no connector " + id}
	case l.Source == FromFile:
		return nil, &Error{Code: errcode.ConnectorReadOnly, Detail: "the connector " + id + " is from a file: change the file"}
	case version != 0 && version != l.Version:
		return nil, errChangedMeanwhile
	default:
		return l, nil
	}
}

// validID matches ids that a connector may have: they are part of URLs and of file
// names, where a leading dot hides.
var validID = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$`)

// checkID returns why no connector may have the id, or nil.
func (r *Registry) checkID(id string) *Error {
	if slices.Contains(r.opts.ReservedIDs, id) {
		return &Error{Code: errcode.ConnectorReserved, Detail: "the id " + id + " is reserved"}
	}
	if !validID.MatchString(id) {
		detail := "use at most 128 letters, digits, -, _ and . for the id, and no dot at its beginning"
		return &Error{Code: errcode.InvalidRequest, Detail: detail, Problems: []connector.Problem{{Pointer: "/id", Detail: detail}}}
	}
	return nil
}

// newID returns a random id of up to 26 letters and digits.
func newID(size int) string { return strings.ToLower(rand.Text()[:size]) }

// Changes returns the audit trail, see [Store].
func (r *Registry) Changes(ctx context.Context, before string, limit int) ([]Change, error) {
	changes, err := r.opts.Store.Changes(ctx, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", err)
	}
	return changes, nil
}

// changedFields returns the keys whose values differ between two JSON objects; of
// lists of the same length, such as templates/3, the elements.
func changedFields(before, after []byte) []string {
	a, b := objectOf(before), objectOf(after)
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	var fields []string
	for key := range keys {
		listA, _ := a[key].([]any)
		listB, _ := b[key].([]any)
		if len(listA) != len(listB) || listA == nil {
			if !reflect.DeepEqual(a[key], b[key]) {
				fields = append(fields, key)
			}
			continue
		}
		for i := range listA {
			if !reflect.DeepEqual(listA[i], listB[i]) {
				fields = append(fields, fmt.Sprintf("%s/%d", key, i))
			}
		}
	}
	slices.Sort(fields)
	return fields
}

// fieldsDetail is a change's detail for the audit trail: at most 20 fields, of
// 100 bytes each.
func fieldsDetail(fields []string) json.RawMessage {
	detail := map[string]any{}
	if more := len(fields) - 20; more > 0 {
		detail["more"], fields = more, fields[:20]
	}
	short := make([]string, len(fields))
	for i, field := range fields {
		short[i] = strings.ToValidUTF8(field[:min(len(field), 100)], "")
	}
	detail["fields"] = short
	return marshal(detail)
}
