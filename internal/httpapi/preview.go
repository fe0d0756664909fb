package httpapi

import (
	"errors"
	"maps"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

// previewed is a mail as it would be sent, and how it came about.
type previewed struct {
	To           string          `json:"to"`
	AccountName  string          `json:"accountName"` // the sender address
	FromAlias    string          `json:"fromAlias,omitempty"`
	ReplyAddress string          `json:"replyAddress,omitempty"`
	TagName      string          `json:"tagName,omitempty"`
	Subject      string          `json:"subject"`
	HTML         string          `json:"html,omitempty"`
	Text         string          `json:"text,omitempty"`
	Template     connector.Trace `json:"template"`
}

// preview composes a mail and sends nothing. What the payload does not say is
// taken from a sample, unless the request says `"sample": false`.
func (s *Server) preview(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	message := parsePreview(f)
	if err := f.err(); err != nil {
		return err
	}
	target, err := s.tried(chi.URLParam(r, "id"), f.values["config"])
	if err != nil {
		return err
	}
	mail, trace, err := target.Composer.Compose(message)
	if missing, ok := errors.AsType[*connector.MissingVariablesError](err); ok {
		return &problem{Code: errcode.VariableMissing, Detail: missing.Error()}
	}
	if err != nil {
		return &problem{Code: errcode.TemplateNotFound, Detail: err.Error()}
	}
	writeAnswer(w, previewed{
		To: mail.To, AccountName: mail.AccountName, FromAlias: mail.FromAlias, ReplyAddress: mail.ReplyAddress, TagName: mail.TagName,
		Subject: mail.Subject, HTML: mail.HTMLBody, Text: mail.TextBody, Template: trace,
	})
	return nil
}

func parsePreview(f *fields) connector.Message {
	f.only("type", "payload", "sample", "locale", "config", "to")
	message := connector.SampleMessage(f.required("type", "a usage type, such as SignIn"))
	if sample := f.flag("sample"); sample != nil && !*sample {
		message.Payload = map[string]any{}
	}
	if locale := f.text("locale"); locale != "" {
		message.Payload["locale"] = locale
	}
	maps.Copy(message.Payload, f.nullable("payload"))
	if to := f.text("to"); to != "" {
		address, err := connector.ParseAddress(to)
		if err != nil {
			f.fault("to", "is not one mail address: "+err.Error())
		}
		message.To = address
	}
	return message
}
