package configdrive

import (
	"errors"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/openstack"
	"cloudconfig/datasources/value"
)

// ec2 is meta-data.json of the tree "ec2": what EC2's service has as files, as one mapping.
type ec2 map[string]any

// ec2Version is the newest version of such a tree that Nova makes.
func ec2Version(has []string) string {
	version := ""
	for _, v := range has {
		if v == "2009-04-04" || v == openstack.Latest && version == "" {
			version = v
		}
	}
	return version
}

func parseEC2(text []byte) (ec2, error) {
	v, err := openstack.ParseJSON("meta-data.json", text)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("meta-data.json: not a mapping")
	}
	return m, nil
}

func (e ec2) text(key string) string {
	text, _ := e[key].(string)
	return text
}

func (e ec2) addresses() openstack.EC2 {
	return openstack.EC2{LocalIPv4: e.text("local-ipv4"), PublicIPv4: e.text("public-ipv4"), InstanceType: e.text("instance-type")}
}

// describe adds what meta_data.json of the tree "openstack" would have said.
func (e ec2) describe(data *datasources.Data) error {
	if e == nil {
		return nil
	}
	var check claims.Checker
	placement, _ := e["placement"].(map[string]any)
	data.Meta.InstanceID = check.Word("meta-data.json: instance-id", e.text("instance-id"))
	data.Meta.Zone = check.Word("meta-data.json: availability-zone", ec2(placement).text("availability-zone"))
	name := e.text("local-hostname")
	if name == "" {
		name = e.text("hostname")
	}
	data.Meta.Hostname = check.Hostname("meta-data.json: hostname", name)
	data.Meta.SSHKeys = check.Keys("meta-data.json: public-keys", value.KeyTexts(e["public-keys"]))
	data.Tree = map[string]any{"meta_data": map[string]any(e)}
	return check.Err()
}
