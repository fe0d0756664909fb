// Package connector knows what a connector is: the JSON that holds the
// credentials, the sender and the templates for Aliyun Direct Mail, the rules
// that this JSON must keep, and how a [Message] becomes a mail by it.
//
// The package is pure: it reads no clock, no file, no environment and no
// network. A mail is composed in three steps and sent by package aliyundm:
//
//	cfg, err := connector.Parse(data, connector.ParseOptions{})
//	if err != nil {
//		return err
//	}
//	mail, trace, err := connector.New(cfg).Compose(message)
//	if err != nil {
//		return err
//	}
//	client, err := aliyundm.NewClient(cfg.ClientOptions())
//	if err != nil {
//		return err
//	}
//	receipt, err := client.SingleSendMail(ctx, mail)
package connector
