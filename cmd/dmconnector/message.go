package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dmconnector/connector"
	"dmconnector/internal/plaintext"
	"dmconnector/internal/strictjson"
)

// messageFlags describe a message on the command line, and which hosts its connector
// may name.
type messageFlags struct {
	usageType, locale, uiLocales, payload string
	allow                                 []string
}

func (m *messageFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&m.usageType, "type", connector.Generic, "usage `type`: "+strings.Join(connector.UsageTypes(), ", "))
	languageVar(flags, &m.locale, "locale", "", "recipient's language `tag`, such as zh-CN")
	parsedVar(flags, &m.uiLocales, "string", "ui-locales", "", "more language `tags`, separated by spaces", languageTags)
	flags.StringVar(&m.payload, "payload", "", "variables as a JSON `object`, or @FILE; they override sample values")
	endpointsVar(flags, &m.allow, "")
}

// read returns the connector of a file, and what Logto would send through it: sample
// values of the usage type, overridden by the flags.
func (m *messageFlags) read(cmd *cobra.Command, path string) (*connector.Connector, connector.Message, error) {
	cfg, err := readValid(cmd, path, m.allow)
	if err != nil {
		return nil, connector.Message{}, err
	}
	c := connector.New(cfg)
	if err := c.CheckUsageType(m.usageType); err != nil {
		return nil, connector.Message{}, fmt.Errorf("--type %q: %w", m.usageType, err)
	}
	message := connector.SampleMessage(m.usageType)
	if m.payload != "" {
		payload, err := readPayload(m.payload)
		if err != nil {
			return nil, connector.Message{}, fmt.Errorf("--payload: %w", err)
		}
		maps.Copy(message.Payload, payload)
	}
	if m.locale != "" {
		message.Payload["locale"] = m.locale
	}
	if m.uiLocales != "" {
		message.Payload["uiLocales"] = m.uiLocales
	}
	return c, message, nil
}

func languageTags(text string) (string, error) {
	for tag := range strings.FieldsSeq(text) {
		if _, err := languageTag(tag); err != nil {
			return "", err
		}
	}
	return text, nil
}

func readPayload(text string) (map[string]any, error) {
	data := []byte(text)
	if path, isFile := strings.CutPrefix(text, "@"); isFile {
		var err error
		if data, err = plaintext.ReadFile(path, 64<<20); err != nil {
			return nil, err
		}
	}
	tree, err := strictjson.Decode(data)
	if err != nil {
		return nil, err
	}
	payload, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("must be a JSON object")
	}
	return payload, nil
}
