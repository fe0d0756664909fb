package httpapi

import (
	_ "embed"
	"encoding/json"
	"net/http"

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

// isFactory rejects the id of another factory.
func isFactory(_ http.ResponseWriter, r *request) error {
	if r.id() != FactoryID {
		return &problem{Code: errcode.FactoryNotFound}
	}
	return nil
}

func (s *Server) listFactories(*request) (any, error) { return []factoryObject{s.factory}, nil }

func (s *Server) readFactory(*request) (any, error) { return s.factory, nil }

func builtinTemplates(*request) (any, error) { return connector.BuiltinTemplates(), nil }

// validation is everything that is wrong with a config, or doubtful about it.
type validation struct {
	Valid    bool                `json:"valid"`
	Errors   []connector.Problem `json:"errors"`
	Warnings []connector.Problem `json:"warnings"`
}

// draft is a config that is not stored. With the ID of a stored connector it may have
// the masks of its secrets.
type draft struct {
	Config any    `json:"config" required:"the connector's JSON"`
	ID     string `json:"id"`
}

func (s *Server) validate(_ *request, given draft) (any, error) {
	_, report := s.opts.Registry.Check(given.ID, given.Config)
	return validation{
		Valid: len(report.Errors) == 0, Errors: inConfig(report.Errors), Warnings: inConfig(report.Warnings),
	}, nil
}
