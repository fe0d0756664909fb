// Package connector knows what a connector is: the JSON that holds the
// credentials, the sender and the templates for Aliyun Direct Mail, the rules
// that this JSON must keep, and how a [Message] becomes a mail by it.
//
// The package is pure: it reads no clock, no file, no environment and no
// network. A mail is composed in three steps and sent by package aliyundm:
//
//	cfg, report := connector.ParseConfig(data, connector.ParseOptions{})
//	if err := report.Err(); err != nil {
//		return err
//	}
//	mail, trace, err := connector.New(cfg).Compose(message)
package connector
