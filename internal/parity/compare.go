package parity

import (
	"maps"
	"slices"

	"dmconnector/connector"
	"dmconnector/internal/logto"
)

// A Comparison holds two connectors against each other.
type Comparison struct {
	Logto *logto.Connector
	Here  *connector.Connector
	// Languages are those in which the flows that carry a language are repeated.
	Languages []string
}

// Languages returns those that may make a difference: of Logto's sign-in page,
// of templates, and the fallback language.
func Languages(from *logto.Connector) []string {
	list := append(logto.Languages(), from.FallbackLanguage)
	for _, t := range from.EmailTemplates {
		list = append(list, t.LanguageTag)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// A Mail is what one of the two makes of a request.
type Mail struct {
	Template     string   `json:"template"`          // which one was chosen
	Why          []string `json:"why"`               // a sentence each
	Failure      string   `json:"failure,omitempty"` // why there is no mail
	FromAlias    string   `json:"fromAlias,omitempty"`
	ReplyAddress string   `json:"replyAddress,omitempty"`
	Subject      string   `json:"subject,omitempty"`
	HTML         string   `json:"html,omitempty"`
	Text         string   `json:"text,omitempty"`
}

// visible is what a reader sees of the body.
func (m Mail) visible() string {
	if m.HTML != "" {
		return visible(m.HTML)
	}
	return m.Text
}

// A Result is what became of one request.
type Result struct {
	UsageType   string       `json:"usageType"`
	Flow        string       `json:"flow"`                // the recording's name
	Locale      string       `json:"locale,omitempty"`    // of the request
	UILocales   string       `json:"uiLocales,omitempty"` // of the request
	Outcome     Outcome      `json:"outcome"`
	Differences []Difference `json:"differences"`
	Notes       []string     `json:"notes,omitempty"` // what is doubtful, and the same in both
	Logto       Mail         `json:"logto"`
	Here        Mail         `json:"here"`
}

// An Outcome says how much two mails differ.
type Outcome string

// The outcomes.
const (
	Same    Outcome = "same"
	Unseen  Outcome = "unseen"  // in their sources alone
	Differs Outcome = "differs" // as a reader sees
)

// A Difference is one between two mails.
type Difference struct {
	Field   string   `json:"field"` // mail, from, replyTo, subject or body
	Seen    bool     `json:"seen"`  // by a reader
	Logto   string   `json:"logto"` // of a body, what is seen of it
	Here    string   `json:"here"`
	Reasons []Reason `json:"reasons"`
}

// Run composes every recorded flow on both sides: as it was recorded, and, if it
// carries a language, in each of the others.
func (c *Comparison) Run() []Result {
	var results []Result
	for _, usageType := range connector.UsageTypes() {
		for _, flow := range logto.Flows() {
			if flow.Type != usageType {
				continue
			}
			results = append(results, c.compare(flow, flow.Payload))
			recorded, ok := flow.Payload["locale"].(string)
			for _, language := range c.Languages {
				if !ok || language == recorded {
					continue
				}
				payload := maps.Clone(flow.Payload)
				payload["locale"] = language
				// It was the reason for the recorded locale.
				delete(payload, "uiLocales")
				results = append(results, c.compare(flow, payload))
			}
		}
	}
	return results
}

func (c *Comparison) compare(flow logto.Flow, payload map[string]any) Result {
	result := Result{UsageType: flow.Type, Flow: flow.Name, Differences: []Difference{}}
	result.Locale, _ = payload["locale"].(string)
	result.UILocales, _ = payload["uiLocales"].(string)
	p := &pair{payload: payload, config: c.Here.Config()}
	p.composeLogto(c.Logto, flow.Type)
	p.composeHere(c.Here, flow.Type)
	result.Logto, result.Here = p.logto, p.here
	result.Differences = append(result.Differences, p.differences()...)
	result.Notes = p.notes()
	result.Outcome = outcome(result.Differences)
	return result
}

func outcome(differences []Difference) Outcome {
	switch {
	case len(differences) == 0:
		return Same
	case slices.ContainsFunc(differences, func(d Difference) bool { return d.Seen }):
		return Differs
	}
	return Unseen
}
