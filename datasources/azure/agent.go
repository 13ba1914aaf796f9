package azure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/file"
	"cloudconfig/datasources/xmltree"
	"cloudconfig/schema"
)

// maxFileBytes is the largest file of the agent's that is taken.
const maxFileBytes = 16 << 20

// agent is the directory of the Azure agent, which fetches everything itself and tells the platform when it is ready.
type agent string

// Name is "azure".
func (agent) Name() string { return "azure" }

// Fetch reads what the agent left: CustomData, ovf-env.xml and SharedConfig.xml, each of which may be missing. Until
// the file "provisioned" is there it wraps datasources.ErrNotReady. There is no instance id and no region.
func (dir agent) Fetch(context.Context) (datasources.Data, error) {
	data, err := dir.fetch()
	if err != nil {
		return datasources.Data{}, fmt.Errorf("azure: %w", err)
	}
	return data, nil
}

func (dir agent) fetch() (datasources.Data, error) {
	if _, err := os.Stat(filepath.Join(string(dir), "provisioned")); errors.Is(err, fs.ErrNotExist) {
		return datasources.Data{}, fmt.Errorf("the agent is not done yet: %w: %w", err, datasources.ErrNotReady)
	} else if err != nil {
		return datasources.Data{}, err
	}
	custom, err1 := dir.read("CustomData")
	environment, err2 := dir.read(ovfEnv)
	shared, err3 := dir.read("SharedConfig.xml")
	if err := errors.Join(err1, err2, err3); err != nil {
		return datasources.Data{}, err
	}
	f := found{Data: datasources.Data{Name: "user-data", Meta: schema.Metadata{Version: 1, Datasource: "azure"}}}
	if len(environment) > 0 {
		m, err := parseMedia(environment)
		if err != nil {
			return datasources.Data{}, err
		}
		if err := f.add(m); err != nil {
			return datasources.Data{}, err
		}
	}
	if len(custom) > 0 {
		f.UserData = custom
	}
	if len(shared) > 0 {
		if err := parseShared(&f.Meta, shared); err != nil {
			return datasources.Data{}, fmt.Errorf("SharedConfig.xml: %w", err)
		}
	}
	return f.Data, nil
}

// read gives nil for a file that is not there. Nothing but a regular file is read.
func (dir agent) read(name string) ([]byte, error) {
	data, err := file.Read(filepath.Join(string(dir), name), maxFileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// parseShared reads the addresses of this instance: its own, and the first public one of a load balancer.
func parseShared(meta *schema.Metadata, text []byte) error {
	root, err := xmltree.Parse(string(text))
	if err != nil {
		return err
	}
	own := root.Find("Incarnation").Attr("instance")
	var c claims.Checker
	for _, instance := range root.Find("Instances").All("Instance") {
		if instance.Attr("id") != own {
			continue
		}
		meta.PrivateIPv4 = c.IPv4("address", instance.Attr("address"))
		for _, e := range instance.Find("InputEndpoints").All("Endpoint") {
			keep(&meta.PublicIPv4, c.IPv4("loadBalancedPublicAddress", host(e.Attr("loadBalancedPublicAddress"))))
		}
		break
	}
	return c.Err()
}

// host is that of an address with a port, "" if it is none: such an endpoint is not public.
func host(text string) string {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return ""
	}
	return a.Addr().String()
}
