package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dmconnector/connector"
)

// The codes of an [Error].
const (
	connectorNotFound  = "connector_not_found"
	connectorExists    = "connector_exists"
	connectorReadOnly  = "connector_read_only"
	connectorReserved  = "connector_reserved"
	templateNotFound   = "template_not_found"
	preconditionFailed = "precondition_failed"
	invalidConfig      = "invalid_config"
	invalidRequest     = "invalid_request"
)

// tries is how often a change is tried that others' changes come in between.
const tries = 5

// Check reads a config as an admin gives it, for the connector of that id (empty:
// for none), and returns it with every problem and warning. Masks of secrets are
// resolved where that is allowed.
func (r *Registry) Check(id string, config any) (*connector.Config, connector.Report) {
	var stored map[string]any
	if l, ok := r.view.Load().connectors[id]; ok && l.Source == FromState {
		stored = objectOf(l.stored.Config)
	}
	_, c := r.check(config, stored)
	return c.config, c.report
}

// check returns a config as it is to be stored, and what it makes.
func (r *Registry) check(config any, stored map[string]any) (map[string]any, *candidate) {
	if config == nil {
		config = map[string]any{} // the report then says all that is missing
	}
	tree := withoutEmpty(config)
	root, _ := tree.(map[string]any)
	problems := unmask(root, stored)
	cfg, report := connector.CheckTree(tree, r.parseOptions())
	report.Errors = append(report.Errors, problems...)
	if len(problems) > 0 {
		cfg = nil
	}
	return root, r.examine(cfg, report, nil)
}

func (c *candidate) refusal() error {
	if c.config != nil {
		return nil
	}
	return &Error{Code: invalidConfig, Detail: "the connector has errors", Problems: c.report.Errors}
}

// Create makes a connector. by says whose token it was.
func (r *Registry) Create(ctx context.Context, by string, d Draft) (Connector, error) {
	if err := r.checkNewID(d.ID); err != nil {
		return Connector{}, err
	}
	root, c := r.check(d.Config, nil)
	if err := c.refusal(); err != nil {
		return Connector{}, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	s := StoredConnector{
		ID: d.ID, Version: 1, Config: marshal(root), Metadata: marshal(orEmpty(d.Metadata)),
		SyncProfile: d.SyncProfile, EnableTokenStorage: d.EnableTokenStorage, Created: now, Updated: now,
	}
	detail := fieldsDetail(changedFields(nil, root))
	for range tries {
		if d.ID == "" {
			s.ID = newID(connectorIDSize)
		}
		err := r.opts.Keeper.InsertConnector(ctx, s, Change{Actor: by, Action: "connector.create", Subject: s.ID, Detail: detail})
		switch {
		case err == nil:
			return r.changed(ctx, s), nil
		case !errors.Is(err, ErrExists):
			return Connector{}, fmt.Errorf("store connector %s: %w", s.ID, err)
		case d.ID != "":
			return Connector{}, exists(d.ID)
		}
	}
	return Connector{}, fmt.Errorf("find an id for the connector: %w", ErrExists)
}

func (r *Registry) checkNewID(id string) error {
	_, taken := r.view.Load().connectors[id]
	switch {
	case id == "":
		return nil
	case slices.Contains(r.opts.ReservedIDs, id):
		return &Error{Code: connectorReserved, Detail: "the id " + id + " is reserved"}
	case !validID(id):
		problem := connector.Problem{Pointer: "/id", Detail: "must be at most 128 letters, digits, -, _ and ., and not begin with a dot"}
		return &Error{Code: invalidRequest, Detail: "a connector cannot have that id", Problems: []connector.Problem{problem}}
	case taken:
		return exists(id)
	default:
		return nil
	}
}

func exists(id string) error {
	return &Error{Code: connectorExists, Detail: "there is a connector " + id + " already"}
}

func orEmpty(object map[string]any) map[string]any {
	if object == nil {
		return map[string]any{}
	}
	return object
}

// Update changes a connector, if it still has the version; 0 is any.
func (r *Registry) Update(ctx context.Context, by, id string, version int64, p Patch) (Connector, error) {
	var updated Connector
	err := r.retry(ctx, version, func() error {
		stored, err := r.changeable(id, version)
		if err != nil {
			return err
		}
		next, change, err := r.patched(stored, p)
		if err != nil || change == nil {
			updated, _ = r.Connector(id)
			return err
		}
		change.Actor = by
		if err := r.opts.Keeper.UpdateConnector(ctx, next, *change); err != nil {
			return err
		}
		updated = r.changed(ctx, next)
		return nil
	})
	if err != nil {
		return Connector{}, connectorRefusal("update", id, err)
	}
	return updated, nil
}

// patched returns the connector as the patch wants it, and no change if it is so
// already.
func (r *Registry) patched(stored StoredConnector, p Patch) (StoredConnector, *Change, error) {
	next, root := stored, objectOf(stored.Config)
	var fields []string
	if p.Config != nil {
		wanted, c := r.check(p.Config, root)
		if err := c.refusal(); err != nil {
			return stored, nil, err
		}
		next.Config, fields = marshal(wanted), changedFields(root, wanted)
	}
	if p.Metadata != nil {
		next.Metadata = marshal(p.Metadata)
		if string(next.Metadata) != string(marshal(objectOf(stored.Metadata))) {
			fields = append(fields, "metadata")
		}
	}
	if p.SyncProfile != nil && *p.SyncProfile != stored.SyncProfile {
		next.SyncProfile, fields = *p.SyncProfile, append(fields, "syncProfile")
	}
	if p.EnableTokenStorage != nil && *p.EnableTokenStorage != stored.EnableTokenStorage {
		next.EnableTokenStorage, fields = *p.EnableTokenStorage, append(fields, "enableTokenStorage")
	}
	if len(fields) == 0 {
		return stored, nil, nil
	}
	next.Version++
	next.Updated = time.Now().UTC().Truncate(time.Millisecond)
	return next, &Change{Action: "connector.update", Subject: stored.ID, Detail: fieldsDetail(fields)}, nil
}

// Delete deletes a connector, if it still has the version; 0 is any.
func (r *Registry) Delete(ctx context.Context, by, id string, version int64) error {
	err := r.retry(ctx, version, func() error {
		if _, err := r.changeable(id, version); err != nil {
			return err
		}
		return r.opts.Keeper.DeleteConnector(ctx, id, version, Change{Actor: by, Action: "connector.delete", Subject: id})
	})
	if err != nil {
		return connectorRefusal("delete", id, err)
	}
	r.catchUpAfter(ctx)
	return nil
}

// retry tries a change on the state as it is now, and again if another change came
// in between, unless the caller wants a certain version.
func (r *Registry) retry(ctx context.Context, version int64, change func() error) error {
	err := ErrChanged
	for range tries {
		if err := r.readState(ctx); err != nil {
			return err
		}
		if err = change(); !errors.Is(err, ErrChanged) || version != 0 {
			return err
		}
	}
	return err
}

// changeable returns the stored connector if it may be changed.
func (r *Registry) changeable(id string, version int64) (StoredConnector, error) {
	l, ok := r.view.Load().connectors[id]
	switch {
	case !ok:
		return StoredConnector{}, ErrNotFound
	case l.Source == FromFile:
		return StoredConnector{}, &Error{Code: connectorReadOnly, Detail: "the connector " + id + " is from a file: change the file"}
	case version != 0 && version != l.Version:
		return StoredConnector{}, ErrChanged
	default:
		return l.stored, nil
	}
}

// changed puts a change into force, and returns its connector.
func (r *Registry) changed(ctx context.Context, s StoredConnector) Connector {
	r.catchUpAfter(ctx)
	if now, ok := r.Connector(s.ID); ok && now.Source == FromState && now.Version >= s.Version {
		return now
	}
	// It cannot be read back, or is gone already.
	s.Config = masked(s.Config)
	return Connector{StoredConnector: s, Source: FromState}
}

// catchUpAfter puts a change into force. The change is made already, so that
// failing is none of its caller's business, nor is leaving of any effect.
func (r *Registry) catchUpAfter(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTimeout)
	defer cancel()
	if err := r.readState(ctx); err != nil {
		r.opts.Log.WarnContext(ctx, "a change is not in force yet", "error", err)
	}
}

func connectorRefusal(what, id string, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return &Error{Code: connectorNotFound, Detail: "there is no connector " + id}
	case errors.Is(err, ErrChanged):
		return &Error{Code: preconditionFailed, Detail: "the connector " + id + " was changed meanwhile"}
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal
	}
	return fmt.Errorf("%s connector %s: %w", what, id, err)
}

// Changes returns the audit trail, see [Keeper].
func (r *Registry) Changes(ctx context.Context, before string, limit int) ([]Change, error) {
	changes, err := r.opts.Keeper.Changes(ctx, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", err)
	}
	return changes, nil
}

// What the audit trail says of one change at the most.
const (
	maxFields     = 20
	maxFieldBytes = 100
)

// changedFields returns the paths of what differs between two objects, without
// any value.
func changedFields(before, after any) []string {
	var fields []string
	compare("", before, after, &fields)
	slices.Sort(fields)
	return fields
}

// fieldsDetail is a change's detail for the audit trail.
func fieldsDetail(fields []string) json.RawMessage {
	detail := map[string]any{}
	if more := len(fields) - maxFields; more > 0 {
		detail["more"], fields = more, fields[:maxFields]
	}
	short := make([]string, len(fields))
	for i, field := range fields {
		short[i] = strings.ToValidUTF8(field[:min(len(field), maxFieldBytes)], "")
	}
	detail["fields"] = short
	return marshal(detail)
}
