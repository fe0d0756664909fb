package connector

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"

	"dmconnector/internal/strictjson"
	"dmconnector/templates"
)

// A Config is a connector's JSON: exactly what Logto's connector-aliyun-dm
// takes, and what goes beyond it. The zero value of an optional field means
// that the JSON did not have it.
type Config struct {
	AccessKeyID     string `json:"accessKeyId" validate:"required_without=Credentials,omitempty,keytext"`
	AccessKeySecret Secret `json:"accessKeySecret" validate:"required_without=Credentials,omitempty,keytext"`
	SecurityToken   Secret `json:"securityToken,omitempty" validate:"omitempty,keytext"` // of temporary (STS) keys
	Credentials     *Role  `json:"credentials,omitempty"`                                // instead of the three

	RegionID string `json:"regionId,omitempty"` // default cn-hangzhou
	Endpoint string `json:"endpoint,omitempty"` // instead of the region's own: a VPC's or a private one

	AccountName  string `json:"accountName" validate:"required,address"` // the sender address
	FromAlias    string `json:"fromAlias,omitempty" validate:"max=15"`
	ReplyAddress string `json:"replyAddress,omitempty" validate:"omitempty,address"`
	TagName      string `json:"tagName,omitempty" validate:"omitempty,tagname"`

	Limits          *Limits           `json:"limits,omitempty"`
	CodeLifetime    string            `json:"codeLifetime,omitempty" validate:"omitempty,lifetime"`
	DefaultLanguage string            `json:"defaultLanguage,omitempty" validate:"omitempty,language"`
	Delivery        map[string]string `json:"delivery,omitempty" validate:"dive,oneof=direct queued"` // by usage type
	OnUnknown       string            `json:"onUnknown,omitempty" validate:"omitempty,oneof=resend hold"`
	OnMissing       string            `json:"onMissing,omitempty" validate:"omitempty,oneof=keep refuse empty"`

	Templates []Template `json:"templates" validate:"required,dive"`
}

// Limits are rates such as "10/10m" (ten at once, refilled evenly over ten
// minutes), or "off".
type Limits struct {
	Recipient string `json:"recipient,omitempty" validate:"omitempty,rate"`
	IP        string `json:"ip,omitempty" validate:"omitempty,rate"`
	Connector string `json:"connector,omitempty" validate:"omitempty,rate"`
}

// A Template is one template of a connector; see [templates.Source], whose
// twin it is, for what the fields do.
type Template struct {
	UsageType   string `json:"usageType" validate:"required"`
	LanguageTag string `json:"languageTag,omitempty" validate:"omitempty,language"`
	Subject     string `json:"subject" validate:"required,subject"`
	Content     string `json:"content" validate:"required,bodysize"`
	ContentType string `json:"contentType,omitempty" validate:"omitempty,oneof=text/html text/plain"`
	Text        string `json:"text,omitempty" validate:"bodysize"`
	ReplyTo     string `json:"replyTo,omitempty" validate:"omitempty,replyto"`
	SendFrom    string `json:"sendFrom,omitempty"`
	Escape      string `json:"escape,omitempty" validate:"omitempty,oneof=html none"`
}

// A Secret is a string that prints, logs and marshals as "[redacted]". Convert
// it to string at the one place that needs the value.
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// ParseOptions say how [Parse] and [Check] read a connector's JSON.
type ParseOptions struct {
	// Strict makes unknown keys errors; else they are warnings.
	Strict bool
	// Resolve looks up references such as ${env:NAME} (kind "env") and
	// ${file:PATH} (kind "file") in the credential fields, and in the environment what
	// credentials leave out. Nil refuses references and credentials, for JSON that does
	// not come from the operator.
	Resolve func(kind, name string) (string, error)
	// AllowedEndpoints are hosts that endpoint may name besides those of
	// aliyuncs.com and loopback.
	AllowedEndpoints []string
}

// Parse reads a connector's JSON. The error is an [*InvalidError] with all that is
// wrong with it; [Check] also tells what is doubtful.
func Parse(data []byte, opts ParseOptions) (*Config, error) {
	cfg, report := Check(data, opts)
	return cfg, report.Err()
}

// Check reads a connector's JSON and reports all errors and warnings at once. The
// config is nil if there are errors.
func Check(data []byte, opts ParseOptions) (*Config, Report) {
	tree, err := strictjson.Decode(data)
	if syntax, ok := errors.AsType[*strictjson.Error](err); ok {
		var report Report
		report.errorf(syntax.Pointer, "is not JSON: %s", syntax.Error())
		return nil, report
	}
	return CheckTree(tree, opts)
}

// CheckTree is [Check] for JSON that is already decoded into maps, slices, strings,
// numbers, booleans and nil, as part of a larger text.
func CheckTree(tree any, opts ParseOptions) (*Config, Report) {
	var (
		cfg    Config
		report Report
	)
	root, builtin := withBuiltinTemplates(tree)
	shape{&report, opts.Strict}.fill(&cfg, root)
	if builtin {
		cfg.Templates = BuiltinTemplates()
	}
	resolveReferences(&cfg, opts.Resolve, &report)
	checkFields(&cfg, &report)
	checkCredentials(&cfg, opts, &report)
	checkEndpoint(&cfg, opts.AllowedEndpoints, &report)
	lint(&cfg, builtin, &report)
	if len(report.Errors) > 0 {
		return nil, report
	}
	return &cfg, report
}

// withBuiltinTemplates turns `"templates": "builtin"` into an empty list, and
// reports whether it stood there.
func withBuiltinTemplates(tree any) (any, bool) {
	root, ok := tree.(map[string]any)
	if !ok || root["templates"] != "builtin" {
		return tree, false
	}
	changed := maps.Clone(root)
	changed["templates"] = []any{}
	return changed, true
}

// BuiltinTemplates are the ready-made templates, which `"templates": "builtin"`
// stands for.
func BuiltinTemplates() []Template {
	sources := templates.Builtin()
	list := make([]Template, len(sources))
	for i, source := range sources {
		list[i] = Template(source)
	}
	return list
}
