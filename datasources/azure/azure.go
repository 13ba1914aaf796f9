// Package azure reads user-data and metadata on Microsoft Azure: from the instance metadata service (IMDS) and from the
// provisioning media, or from the directory of the Azure agent. It reports to the platform when the machine is ready.
//
// Format: Microsoft Learn, "Azure Instance Metadata Service" (2026), api-version 2021-08-01; cloud-init,
// cloudinit/sources/helpers/azure.py at 014e74f81 for ovf-env.xml and the report; coreos-cloudinit, datasource/waagent.
package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/answers"
	"cloudconfig/datasources/disk"
	"cloudconfig/datasources/machine"
)

// DefaultURL is where the metadata service is, and WireserverURL what is told when the machine is ready.
const (
	DefaultURL    = "http://169.254.169.254"
	WireserverURL = "http://168.63.129.16"
)

// instance is everything of the metadata service; user-data, at most 64 KiB in base64, is in it.
const (
	instance         = "/metadata/instance?api-version=2021-08-01&format=json"
	maxInstanceBytes = 2 << 20
)

// New makes the datasource. arg is "" on Azure; a URL, which is a scheme and a host, for both services elsewhere; or the
// agent's directory, usually /var/lib/waagent, a path of the caller's. The error says what is wrong with the URL.
func New(env datasources.Env, arg string) (datasources.Source, error) {
	if arg != "" && !strings.Contains(arg, "://") {
		return agent(arg), nil
	}
	imds, err := answers.New(env, arg, DefaultURL, http.Header{"Metadata": {"true"}})
	if err != nil {
		return nil, err
	}
	imds.GoneForNow = true
	wire, err := answers.New(env, arg, WireserverURL, wireHeader())
	if err != nil {
		return nil, err
	}
	finder := &disk.Finder{Root: env.Root}
	media := func(ctx context.Context) ([]byte, error) {
		m, err := machine.Read(env.Root)
		if err != nil || m.Container != "" { // where the disks are the host's
			return nil, err
		}
		return findMedia(ctx, finder)
	}
	return &azure{env: env, imds: imds, wire: wire, media: media}, nil
}

type azure struct {
	env        datasources.Env
	imds, wire *answers.Service
	media      func(context.Context) ([]byte, error) // ovf-env.xml, nil if there is none
}

// Name is "azure".
func (*azure) Name() string { return "azure" }

// Fetch asks the metadata service, by one request, and looks for the provisioning media. It wraps
// datasources.ErrNotReady if it should be asked again, also for 404 and 410, which the service gives while it starts; so
// it never wraps datasources.ErrAbsent. What cannot be what it should be ends the search. Custom data of the media
// comes before user-data of the service, as in cloud-init.
func (s *azure) Fetch(ctx context.Context) (datasources.Data, error) {
	media, late := s.media(ctx)
	all, err := s.imds.Ask(ctx, answers.Question{Path: instance, MaxBytes: maxInstanceBytes})
	if err == nil && all[0] == nil {
		err = fmt.Errorf("the metadata service has no instance yet: %w", datasources.ErrNotReady)
	}
	if err != nil {
		return datasources.Data{}, fmt.Errorf("azure: %w", err)
	}
	data, err := decode(all[0])
	if err == nil && media != nil {
		err = data.addMedia(media)
	}
	if err != nil {
		return datasources.Data{}, fmt.Errorf("azure: %w", err)
	}
	data.Routed = s.imds.Routed
	if late != nil { // the metadata is there all the same
		data.UserData = nil
		return data.Data, fmt.Errorf("azure: %w", late)
	}
	s.imds.Forget()
	return data.Data, nil
}

// errNoProvisioning says that an ovf-env.xml is another platform's.
var errNoProvisioning = errors.New("it has no ProvisioningSection")
