package httpapi

import (
	"encoding/json"
	"errors"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
	"dmconnector/internal/registry"
)

// connectorObject is a connector in Logto's shape, with what Logto has no member for.
type connectorObject struct {
	ID                 string          `json:"id"`
	SyncProfile        bool            `json:"syncProfile"`
	EnableTokenStorage bool            `json:"enableTokenStorage"`
	Config             json.RawMessage `json:"config"` // with the secrets masked
	Metadata           json.RawMessage `json:"metadata"`
	ConnectorID        string          `json:"connectorId"` // the factory's id
	factoryMetadata
	ExtraInfo struct{}         `json:"extraInfo"`
	Beyond    connectorDetails `json:"dmconnector"`
}

type connectorDetails struct {
	Source   registry.Source     `json:"source"`
	ReadOnly bool                `json:"readOnly"`
	Active   bool                `json:"active"` // messages can be sent through it
	Version  int64               `json:"version,omitempty"`
	Problems []connector.Problem `json:"problems"` // why the newest version is not active
	Warnings []connector.Problem `json:"warnings"`
}

func (c connectorObject) version() int64 { return c.Beyond.Version }

func (s *Server) connectorObject(c registry.Connector) connectorObject {
	return connectorObject{
		ID: c.ID, SyncProfile: c.SyncProfile, EnableTokenStorage: c.EnableTokenStorage,
		Config: orEmpty(c.Config), Metadata: orEmpty(c.Metadata),
		ConnectorID: FactoryID, factoryMetadata: s.factory.factoryMetadata,
		Beyond: connectorDetails{
			Source: c.Source, ReadOnly: c.Source == registry.FromFile, Active: c.Active, Version: c.Version,
			Problems: inConfig(c.Problems), Warnings: inConfig(c.Warnings),
		},
	}
}

func orEmpty(object json.RawMessage) json.RawMessage {
	if len(object) == 0 || string(object) == "null" {
		return json.RawMessage("{}")
	}
	return object
}

func (s *Server) listConnectors(r *request) (any, error) {
	list := []connectorObject{}
	if target := r.URL.Query().Get("target"); target == "" || target == s.factory.Target {
		for _, c := range s.opts.Registry.Connectors() {
			list = append(list, s.connectorObject(c))
		}
	}
	return list, nil
}

func (s *Server) readConnector(r *request) (any, error) {
	c, ok := s.opts.Registry.Connector(r.id())
	if !ok {
		return nil, &problem{Code: errcode.ConnectorNotFound}
	}
	return s.connectorObject(c), nil
}

// connectorDraft is Logto's request for a new connector.
type connectorDraft struct {
	ConnectorID        string         `json:"connectorId" required:"the factory's id, aliyun-direct-mail"`
	ID                 string         `json:"id"`
	Metadata           map[string]any `json:"metadata"`
	SyncProfile        *bool          `json:"syncProfile"`
	EnableTokenStorage *bool          `json:"enableTokenStorage"`
	Config             map[string]any `json:"config" required:"the connector's JSON"`
}

func (s *Server) createConnector(r *request, given connectorDraft) (any, error) {
	if given.ConnectorID != FactoryID {
		return nil, &problem{Code: errcode.UnknownFactory, Errors: []connector.Problem{{Pointer: "/connectorId", Detail: "must be " + FactoryID}}}
	}
	created, err := s.opts.Registry.Create(r.Context(), r.by.actor, given.ID, registry.Patch{
		Config: given.Config, Metadata: given.Metadata, SyncProfile: given.SyncProfile, EnableTokenStorage: given.EnableTokenStorage,
	})
	return s.connectorObject(created), stateError(err)
}

// connectorPatch is Logto's request to change a connector.
type connectorPatch struct {
	Config             config         `json:"config"`
	Metadata           map[string]any `json:"metadata"`
	SyncProfile        *bool          `json:"syncProfile"`
	EnableTokenStorage *bool          `json:"enableTokenStorage"`
}

// config is a connector's JSON. Null is not as if it were missing.
type config map[string]any

func (c *config) parse(value any) error {
	members, ok := value.(map[string]any)
	if !ok {
		return errors.New("must be an object")
	}
	*c = members
	return nil
}

func (s *Server) patchConnector(r *request, given connectorPatch) (any, error) {
	patch := registry.Patch{Metadata: given.Metadata, SyncProfile: given.SyncProfile, EnableTokenStorage: given.EnableTokenStorage}
	if given.Config != nil {
		patch.Config = map[string]any(given.Config)
	}
	changed, err := s.opts.Registry.Update(r.Context(), r.by.actor, r.id(), r.version, patch)
	return s.connectorObject(changed), stateError(err)
}

func (s *Server) deleteConnector(r *request) (any, error) {
	return nil, stateError(s.opts.Registry.Delete(r.Context(), r.by.actor, r.id(), r.version))
}
