package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

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

func (s *Server) writeConnector(w http.ResponseWriter, c registry.Connector) {
	setVersion(w.Header(), c.Version)
	writeAnswer(w, s.connectorObject(c))
}

func (s *Server) listConnectors(w http.ResponseWriter, r *request) error {
	list := []connectorObject{}
	if target := r.URL.Query().Get("target"); target == "" || target == s.factory.Target {
		for _, c := range s.opts.Registry.Connectors() {
			list = append(list, s.connectorObject(c))
		}
	}
	writeAnswer(w, list)
	return nil
}

func (s *Server) readConnector(w http.ResponseWriter, r *request) error {
	c, ok := s.opts.Registry.Connector(chi.URLParam(r.Request, "id"))
	if !ok {
		return &problem{Code: errcode.ConnectorNotFound}
	}
	s.writeConnector(w, c)
	return nil
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

func (s *Server) createConnector(w http.ResponseWriter, r *request) error {
	var given connectorDraft
	if err := r.decode(&given, lenient); err != nil {
		return err
	}
	if given.ConnectorID != FactoryID {
		return &problem{Code: errcode.UnknownFactory, Errors: []connector.Problem{{Pointer: "/connectorId", Detail: "must be " + FactoryID}}}
	}
	created, err := s.opts.Registry.Create(r.Context(), r.by.actor, given.ID, registry.Patch{
		Config: given.Config, Metadata: given.Metadata, SyncProfile: given.SyncProfile, EnableTokenStorage: given.EnableTokenStorage,
	})
	if err != nil {
		return stateError(err)
	}
	s.writeConnector(w, created)
	return nil
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

func (s *Server) patchConnector(w http.ResponseWriter, r *request) error {
	version, err := r.wantedVersion()
	if err != nil {
		return err
	}
	var given connectorPatch
	if err := r.decode(&given, lenient); err != nil {
		return err
	}
	patch := registry.Patch{Metadata: given.Metadata, SyncProfile: given.SyncProfile, EnableTokenStorage: given.EnableTokenStorage}
	if given.Config != nil {
		patch.Config = map[string]any(given.Config)
	}
	changed, err := s.opts.Registry.Update(r.Context(), r.by.actor, chi.URLParam(r.Request, "id"), version, patch)
	if err != nil {
		return stateError(err)
	}
	s.writeConnector(w, changed)
	return nil
}

func (s *Server) deleteConnector(w http.ResponseWriter, r *request) error {
	version, err := r.wantedVersion()
	if err != nil {
		return err
	}
	if err := s.opts.Registry.Delete(r.Context(), r.by.actor, chi.URLParam(r.Request, "id"), version); err != nil {
		return stateError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
