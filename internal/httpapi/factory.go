package httpapi

import (
	_ "embed"
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

// FactoryID is what Logto calls the Direct Mail connector. As the id in a test
// route it means a connector that is not stored yet.
const FactoryID = "aliyun-direct-mail"

// factoryJSON describes the connector for the forms of Logto's console and of ours.
//
//go:embed factory.json
var factoryJSON []byte

// factoryMetadata is what every connector shows of its factory.
type factoryMetadata struct {
	Target      string            `json:"target"`
	Name        map[string]string `json:"name"`        // by language
	Description map[string]string `json:"description"` // by language
	Logo        string            `json:"logo"`
	LogoDark    *string           `json:"logoDark"`
	Readme      string            `json:"readme"`
	FormItems   json.RawMessage   `json:"formItems"`
	Platform    *string           `json:"platform"`
	Type        string            `json:"type"`
	IsDemo      bool              `json:"isDemo"`
}

// factoryObject is a factory in Logto's shape.
type factoryObject struct {
	ID string `json:"id"`
	factoryMetadata
}

func decodeFactory() factoryObject {
	factory := factoryObject{ID: FactoryID}
	mustUnmarshal("factory.json", factoryJSON, &factory.factoryMetadata)
	return factory
}

func (s *Server) listFactories(w http.ResponseWriter, _ *request) error {
	writeAnswer(w, []factoryObject{s.factory})
	return nil
}

// knownFactory rejects requests for other factories.
func knownFactory(_ http.ResponseWriter, r *request) error {
	if chi.URLParam(r.Request, "id") != FactoryID {
		return &problem{Code: errcode.FactoryNotFound}
	}
	return nil
}

func (s *Server) readFactory(w http.ResponseWriter, _ *request) error {
	writeAnswer(w, s.factory)
	return nil
}

// validation is everything that is wrong with a config, or doubtful about it.
type validation struct {
	Valid    bool                `json:"valid"`
	Errors   []connector.Problem `json:"errors"`
	Warnings []connector.Problem `json:"warnings"`
}

// validate checks a config that is not stored. With the id of a stored connector it
// may have the masks of its secrets.
func (s *Server) validate(w http.ResponseWriter, r *request) error {
	var given struct {
		Config any    `json:"config" required:"the connector's JSON"`
		ID     string `json:"id"`
	}
	if err := r.decode(&given, strict); err != nil {
		return err
	}
	_, report := s.opts.Registry.Check(given.ID, given.Config)
	writeAnswer(w, validation{
		Valid: len(report.Errors) == 0, Errors: inConfig(report.Errors), Warnings: inConfig(report.Warnings),
	})
	return nil
}

func (s *Server) builtinTemplates(w http.ResponseWriter, _ *request) error {
	writeAnswer(w, connector.BuiltinTemplates())
	return nil
}
