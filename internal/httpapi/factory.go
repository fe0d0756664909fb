package httpapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
)

// FactoryID is what Logto calls the Direct Mail connector. As the id in a test
// route it means a connector that is not stored yet.
const FactoryID = "aliyun-direct-mail"

// factoryJSON says what a connector of Direct Mail is, for the forms of Logto's
// console and of ours.
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
	if err := json.Unmarshal(factoryJSON, &factory.factoryMetadata); err != nil {
		panic(fmt.Sprintf("factory.json: %v", err)) // it is part of the program
	}
	return factory
}

func (s *Server) listFactories(w http.ResponseWriter, _ *http.Request, _ caller) error {
	writeAnswer(w, []factoryObject{s.factory})
	return nil
}

func (s *Server) readFactory(w http.ResponseWriter, r *http.Request, _ caller) error {
	if chi.URLParam(r, "id") != FactoryID {
		return problemOf(codeFactoryNotFound)
	}
	writeAnswer(w, s.factory)
	return nil
}

// validation is all that is to be said about a config.
type validation struct {
	Valid    bool                `json:"valid"`
	Errors   []connector.Problem `json:"errors"`
	Warnings []connector.Problem `json:"warnings"`
}

// validate checks a config that is not stored. With the id of a stored connector
// it may have that one's masks.
func (s *Server) validate(w http.ResponseWriter, r *http.Request, _ caller) error {
	if chi.URLParam(r, "id") != FactoryID {
		return problemOf(codeFactoryNotFound)
	}
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	f.only("config", "id")
	f.missing("config", "the connector's JSON")
	id := f.text("id")
	if err := f.err(); err != nil {
		return err
	}
	_, report := s.opts.Registry.Check(id, f.values["config"])
	writeAnswer(w, validation{
		Valid: len(report.Errors) == 0, Errors: inConfig(report.Errors), Warnings: inConfig(report.Warnings),
	})
	return nil
}

// readyMade lists the ready-made templates, to begin one's own from.
func (s *Server) readyMade(w http.ResponseWriter, r *http.Request, _ caller) error {
	if chi.URLParam(r, "id") != FactoryID {
		return problemOf(codeFactoryNotFound)
	}
	writeAnswer(w, connector.BuiltinTemplates())
	return nil
}
