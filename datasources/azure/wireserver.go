package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"cloudconfig/datasources"
	"cloudconfig/datasources/answers"
	"cloudconfig/datasources/xmltree"
)

const (
	goalState         = "/machine/?comp=goalstate"
	health            = "/machine/?comp=health"
	maxGoalStateBytes = 256 << 10
	maxDescription    = 512 // bytes that the platform shows
)

func wireHeader() http.Header {
	return http.Header{"X-Ms-Version": {"2012-11-30"}, "X-Ms-Agent-Name": {"provisioner"}}
}

// Report tells the wireserver that the machine is ready, or not and why. Until it is told, the platform shows the machine
// as being created, and after 20 minutes or so as failed. It is asked first which machine this is, for every attempt:
// what it says changes.
//
// Format: WALinuxAgent, azurelinuxagent/common/protocol/wire.py, and cloud-init, sources/helpers/azure.py at 014e74f81.
func (s *azure) Report(ctx context.Context, ready bool, reason string) error {
	err := s.env.Retry(ctx, "wireserver of Azure", func(ctx context.Context) error {
		text, err := s.wire.Send(ctx, http.MethodGet, answers.Question{Path: goalState, MaxBytes: maxGoalStateBytes}, "")
		if err != nil {
			return again(err)
		}
		body, err := healthReport(text, ready, reason)
		if err != nil {
			return err
		}
		_, err = s.wire.Send(ctx, http.MethodPost, answers.Question{Path: health, MaxBytes: maxGoalStateBytes}, body)
		return again(err)
	})
	if err != nil {
		return fmt.Errorf("azure: %w", err)
	}
	return nil
}

// again makes an absence, which the wireserver has while it starts, something to ask for again.
func again(err error) error {
	if errors.Is(err, datasources.ErrAbsent) {
		return fmt.Errorf("%v: %w", err, datasources.ErrNotReady)
	}
	return err
}

// healthReport is the answer to a goal state.
func healthReport(state []byte, ready bool, reason string) (string, error) {
	root, err := xmltree.Parse(string(state))
	if err != nil {
		return "", fmt.Errorf("goal state: %w: %w", err, datasources.ErrNotReady)
	}
	incarnation := root.String("Incarnation")
	container := root.String("Container", "ContainerId")
	role := root.String("Container", "RoleInstanceList", "RoleInstance", "InstanceId")
	if incarnation == "" || container == "" || role == "" {
		return "", fmt.Errorf("goal state: it names no machine: %w", datasources.ErrNotReady)
	}
	status := "<State>Ready</State>"
	if !ready {
		status = "<State>NotReady</State><Details><SubStatus>ProvisioningFailed</SubStatus><Description>" +
			xmltree.Escape(cut(reason)) + "</Description></Details>"
	}
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?>` + "\n" +
		`<Health xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">`)
	b.WriteString("<GoalStateIncarnation>" + xmltree.Escape(incarnation) + "</GoalStateIncarnation>")
	b.WriteString("<Container><ContainerId>" + xmltree.Escape(container) + "</ContainerId><RoleInstanceList><Role>")
	b.WriteString("<InstanceId>" + xmltree.Escape(role) + "</InstanceId><Health>" + status + "</Health>")
	b.WriteString("</Role></RoleInstanceList></Container></Health>\n")
	return b.String(), nil
}

// cut is what the platform shows of a text.
func cut(text string) string {
	if len(text) <= maxDescription {
		return text
	}
	text = text[:maxDescription]
	for !utf8.ValidString(text) && len(text) > maxDescription-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return text
}
