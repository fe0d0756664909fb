package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
	"dmconnector/internal/registry"
)

// connectorObject is a connector in Logto's shape, and what we know beyond it.
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

// connectorDetails are what Logto has no member for.
type connectorDetails struct {
	Source   registry.Source     `json:"source"`
	ReadOnly bool                `json:"readOnly"`
	InForce  bool                `json:"inForce"` // messages can be sent through it
	Version  int64               `json:"version,omitempty"`
	Problems []connector.Problem `json:"problems"` // why what was written last is not in force
	Warnings []connector.Problem `json:"warnings"`
}

func (s *Server) connectorObject(c registry.Connector) connectorObject {
	return connectorObject{
		ID: c.ID, SyncProfile: c.SyncProfile, EnableTokenStorage: c.EnableTokenStorage,
		Config: orEmpty(c.Config), Metadata: orEmpty(c.Metadata),
		ConnectorID: FactoryID, factoryMetadata: s.factory.factoryMetadata,
		Beyond: connectorDetails{
			Source: c.Source, ReadOnly: c.Source == registry.FromFile, InForce: c.Active, Version: c.Version,
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

func (s *Server) listConnectors(w http.ResponseWriter, r *http.Request, _ caller) error {
	list := []connectorObject{}
	if target := r.URL.Query().Get("target"); target == "" || target == s.factory.Target {
		for _, c := range s.opts.Registry.Connectors() {
			list = append(list, s.connectorObject(c))
		}
	}
	writeAnswer(w, list)
	return nil
}

func (s *Server) readConnector(w http.ResponseWriter, r *http.Request, _ caller) error {
	c, ok := s.opts.Registry.Connector(chi.URLParam(r, "id"))
	if !ok {
		return problemOf(errcode.ConnectorNotFound)
	}
	s.writeConnector(w, c)
	return nil
}

func (s *Server) createConnector(w http.ResponseWriter, r *http.Request, by caller) error {
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	factory := f.required("connectorId", "the factory's id, "+FactoryID)
	id := f.text("id")
	f.missing("config", "the connector's JSON")
	given := givenPatch(f)
	if factory != FactoryID && factory != "" {
		return &problem{Code: codeUnknownFactory, Errors: []connector.Problem{{Pointer: "/connectorId", Detail: "must be " + FactoryID}}}
	}
	if err := f.err(); err != nil {
		return err
	}
	created, err := s.opts.Registry.Create(r.Context(), by.actor, id, given)
	if err != nil {
		return registryProblem(err)
	}
	s.writeConnector(w, created)
	return nil
}

func givenPatch(f *fields) registry.Patch {
	patch := registry.Patch{
		Metadata: f.nullable("metadata"), SyncProfile: f.flag("syncProfile"), EnableTokenStorage: f.flag("enableTokenStorage"),
	}
	if config := f.object("config"); config != nil {
		patch.Config = config
	}
	return patch
}

func (s *Server) patchConnector(w http.ResponseWriter, r *http.Request, by caller) error {
	version, err := wantedVersion(r)
	if err != nil {
		return err
	}
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	patch := givenPatch(f)
	if err := f.err(); err != nil {
		return err
	}
	changed, err := s.opts.Registry.Update(r.Context(), by.actor, chi.URLParam(r, "id"), version, patch)
	if err != nil {
		return registryProblem(err)
	}
	s.writeConnector(w, changed)
	return nil
}

func (s *Server) deleteConnector(w http.ResponseWriter, r *http.Request, by caller) error {
	version, err := wantedVersion(r)
	if err != nil {
		return err
	}
	if err := s.opts.Registry.Delete(r.Context(), by.actor, chi.URLParam(r, "id"), version); err != nil {
		return registryProblem(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
