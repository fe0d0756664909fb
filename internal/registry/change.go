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
	"strconv"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

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
	var stored []byte
	if l, ok := r.view.Load().connectors[id]; ok && l.Source == FromState {
		stored = l.text
	}
	l := r.check(config, stored)
	return l.config, connector.Report{Errors: l.Problems, Warnings: l.Warnings}
}

// check loads a config from an admin. Its text is what is to be stored.
func (r *Registry) check(config any, stored []byte) *loaded {
	tree := withoutEmpty(config)
	if tree == nil {
		tree = map[string]any{} // the report then says all that is missing
	}
	root, _ := tree.(map[string]any)
	problems := unmask(root, stored)
	cfg, report := connector.CheckTree(tree, r.parseOptions())
	report.Errors = append(report.Errors, problems...)
	return r.load(Connector{}, marshal(root), cfg, report, nil)
}

// Create adds a connector; without an id it gets a random one. by says whose token
// it was.
func (r *Registry) Create(ctx context.Context, by, id string, p Patch) (Connector, error) {
	if id == "" {
		id = newID(12) // as long as Logto's
	}
	taken := &Error{Code: errcode.ConnectorExists, Detail: "the id " + id + " is taken by another connector"}
	if slices.Contains(r.opts.ReservedIDs, id) {
		return Connector{}, &Error{Code: errcode.ConnectorReserved, Detail: "the id " + id + " is reserved"}
	}
	if !validID.MatchString(id) {
		problem := connector.Problem{Pointer: "/id", Detail: "must be at most 128 letters, digits, -, _ and ., and not begin with a dot"}
		return Connector{}, &Error{Code: errcode.InvalidRequest, Detail: "a connector cannot have this id", Problems: []connector.Problem{problem}}
	}
	if _, ok := r.Connector(id); ok {
		return Connector{}, taken
	}
	if p.Config == nil {
		p.Config = map[string]any{}
	}
	empty := StoredConnector{ID: id, Metadata: json.RawMessage("{}")}
	created, fields, err := r.patched(&loaded{Connector: Connector{StoredConnector: empty}}, p)
	if err != nil {
		return Connector{}, err
	}
	created.Created = created.Updated
	err = r.opts.Store.InsertConnector(ctx, created, Change{Actor: by, Action: "connector.create", Subject: id, Detail: fieldsDetail(fields)})
	if errors.Is(err, ErrExists) {
		return Connector{}, taken
	}
	if err != nil {
		return Connector{}, fmt.Errorf("store connector %s: %w", id, err)
	}
	return r.activated(ctx, created), nil
}

// Update changes a connector, if it still has the version; 0 means any.
func (r *Registry) Update(ctx context.Context, by, id string, version int64, p Patch) (Connector, error) {
	var updated Connector
	err := r.retry(ctx, "connector "+id, func() error {
		stored, err := r.changeable(id, version)
		if err != nil {
			return err
		}
		next, fields, err := r.patched(stored, p)
		if err != nil {
			return err
		}
		if len(fields) == 0 {
			updated = stored.Connector
			return nil
		}
		change := Change{Actor: by, Action: "connector.update", Subject: id, Detail: fieldsDetail(fields)}
		if err := r.opts.Store.UpdateConnector(ctx, next, change); err != nil {
			return err
		}
		updated = r.activated(ctx, next)
		return nil
	})
	if err != nil {
		return Connector{}, fmt.Errorf("update connector %s: %w", id, err)
	}
	return updated, nil
}

// patched returns the next version of a connector, and which of its fields the
// patch changes.
func (r *Registry) patched(stored *loaded, p Patch) (StoredConnector, []string, error) {
	var fields []string
	next := stored.StoredConnector
	next.Config = stored.text
	next.Version++
	next.Updated = time.Now().UTC().Truncate(time.Millisecond)
	if p.Config != nil {
		l := r.check(p.Config, stored.text)
		if l.config == nil {
			return next, nil, &Error{Code: errcode.InvalidConfig, Detail: "the connector has errors", Problems: l.Problems}
		}
		next.Config, fields = l.text, changedFields(stored.text, l.text)
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
	return next, fields, nil
}

// Delete deletes a connector, if it still has the version; 0 means any.
func (r *Registry) Delete(ctx context.Context, by, id string, version int64) error {
	err := r.retry(ctx, "connector "+id, func() error {
		if _, err := r.changeable(id, version); err != nil {
			return err
		}
		return r.opts.Store.DeleteConnector(ctx, id, version, Change{Actor: by, Action: "connector.delete", Subject: id})
	})
	if err != nil {
		return fmt.Errorf("delete connector %s: %w", id, err)
	}
	r.activateChange(ctx)
	return nil
}

// retry tries a change on the state as it is now, and again if another one came
// in between.
func (r *Registry) retry(ctx context.Context, what string, change func() error) error {
	for range 5 {
		if err := r.loadStore(ctx); err != nil {
			return err
		}
		if err := change(); !errors.Is(err, ErrChanged) && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return changedMeanwhile(what)
}

func changedMeanwhile(what string) error {
	return &Error{Code: errcode.PreconditionFailed, Detail: "the " + what + " was changed meanwhile"}
}

// changeable returns the stored connector if it may be changed.
func (r *Registry) changeable(id string, version int64) (*loaded, error) {
	l, ok := r.view.Load().connectors[id]
	switch {
	case !ok:
		return nil, &Error{Code: errcode.ConnectorNotFound, Detail: "there is no connector " + id}
	case l.Source == FromFile:
		return nil, &Error{Code: errcode.ConnectorReadOnly, Detail: "the connector " + id + " is from a file: change the file"}
	case version != 0 && version != l.Version:
		return nil, changedMeanwhile("connector " + id)
	default:
		return l, nil
	}
}

// activated activates a change, and returns its connector.
func (r *Registry) activated(ctx context.Context, s StoredConnector) Connector {
	r.activateChange(ctx)
	if now, ok := r.Connector(s.ID); ok && now.Source == FromState && now.Version >= s.Version {
		return now
	}
	// It cannot be read back, or is deleted already.
	s.Config = masked(s.Config)
	return Connector{StoredConnector: s, Source: FromState}
}

// activateChange reads the state after a change. That is committed already: do
// not fail its caller, and ignore its cancellation.
func (r *Registry) activateChange(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := r.loadStore(ctx); err != nil {
		r.opts.Log.WarnContext(ctx, "cannot activate a change yet, will retry", "error", err)
	}
}

// Changes returns the audit trail, see [Store].
func (r *Registry) Changes(ctx context.Context, before string, limit int) ([]Change, error) {
	changes, err := r.opts.Store.Changes(ctx, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", err)
	}
	return changes, nil
}

// changedFields returns the paths of what differs between two JSON objects,
// without any value.
func changedFields(before, after []byte) []string {
	var fields []string
	compare("", objectOf(before), objectOf(after), &fields)
	slices.Sort(fields)
	return fields
}

// compare adds the paths of what differs between two decoded JSON values. What
// only one of them has is one path, however much it contains.
func compare(path string, before, after any, fields *[]string) {
	if reflect.DeepEqual(before, after) {
		return
	}
	a, b := children(before), children(after)
	if path != "" && (a == nil || b == nil) {
		*fields = append(*fields, strings.TrimPrefix(path, "/"))
		return
	}
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for key := range keys {
		compare(path+"/"+key, a[key], b[key], fields)
	}
}

// children returns the members of an object or the elements of an array, nil for
// another value.
func children(tree any) map[string]any {
	list, ok := tree.([]any)
	if !ok {
		object, _ := tree.(map[string]any)
		return object
	}
	elements := make(map[string]any, len(list))
	for i, child := range list {
		elements[strconv.Itoa(i)] = child
	}
	return elements
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

// validID matches ids that a connector may have: they are part of URLs and of file
// names, where a leading dot hides.
var validID = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$`)

// newID returns a random id of up to 26 letters and digits.
func newID(size int) string { return strings.ToLower(rand.Text()[:size]) }
