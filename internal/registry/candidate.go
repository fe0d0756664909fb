package registry

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
)

// A candidate is a config with what is needed to put it into force.
type candidate struct {
	config *connector.Config // nil if there are errors
	sender delivery.Sender
	report connector.Report
}

// examine makes a candidate of a config, nil if it has errors already. One that
// says the same as the former keeps its sender.
func (r *Registry) examine(cfg *connector.Config, report connector.Report, former *candidate) *candidate {
	c := &candidate{config: cfg, report: report}
	if cfg == nil {
		return c
	}
	c.checkDelivery(r.opts.Volatile)
	if c.config != nil && former != nil && reflect.DeepEqual(cfg, former.config) {
		c.config, c.sender = former.config, former.sender
		return c
	}
	if c.config != nil {
		c.addSender(r.opts.NewSender)
	}
	return c
}

// checkDelivery refuses what the memory cannot do: to keep a promise over a
// restart.
func (c *candidate) checkDelivery(volatile bool) {
	if !volatile {
		return
	}
	for _, usageType := range slices.Sorted(maps.Keys(c.config.Delivery)) {
		if c.config.Delivery[usageType] == "queued" {
			c.refuse("/delivery/"+pointerEscapes.Replace(usageType),
				usageType+` is to be delivered "queued", which needs state that survives a restart: the memory does not`)
		}
	}
	if len(c.report.Errors) > 0 {
		c.config = nil
	}
}

func (c *candidate) addSender(newSender func(*connector.Config) (delivery.Sender, error)) {
	sender, err := newSender(c.config)
	if err != nil {
		c.refuse("", err.Error())
		c.config = nil
		return
	}
	c.sender = sender
}

func (c *candidate) refuse(pointer, detail string) {
	c.report.Errors = append(c.report.Errors, connector.Problem{Pointer: pointer, Detail: detail})
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
