# usage: ruby puppet-lookup.rb FOLDER…: prints, for each exported folder, what Puppet looks up for every key of every node.
# `puppet lookup` takes seconds for one key; this asks the same code in one process, with a compiled catalogue.
require 'json'
require 'puppet'
require 'tmpdir'

state = Dir.mktmpdir
at_exit { FileUtils.remove_entry(state) }
Puppet.initialize_settings(['--confdir', "#{state}/conf", '--vardir', "#{state}/var", '--log_level', 'err'])

def look_up(folder)
  Puppet[:hiera_config] = "#{folder}/hiera.yaml"
  environment = Puppet::Node::Environment.create(:production, [])
  Puppet.override(current_environment: environment, loaders: Puppet::Pops::Loaders.new(environment), environments: Puppet::Environments::Static.new(environment)) do
    Dir.children("#{folder}/data/nodes").sort.to_h do |file|
      certname = file.delete_suffix('.yaml')
      name, domain = certname.split('.', 2)
      identity = { 'clientcert' => certname, 'hostname' => name, 'domain' => domain, 'fqdn' => certname }
      node = Puppet::Node.new(certname, environment: environment, facts: Puppet::Node::Facts.new(certname, identity))
      node.merge(identity)
      node.trusted_data = { 'certname' => certname, 'hostname' => name, 'domain' => domain, 'authenticated' => 'local', 'extensions' => {}, 'external' => {} }
      found = {}
      compiler = Puppet::Parser::Compiler.new(node)
      compiler.compile do |catalog|
        YAML.safe_load(File.read("#{folder}/data/nodes/#{file}")).each_key do |key|
          found[key] = Puppet::Pops::Lookup.lookup([key], nil, nil, false, nil, Puppet::Pops::Lookup::Invocation.new(compiler.topscope, {}, {}))
        end
        catalog
      end
      [certname, found]
    end
  end
end

puts JSON.generate(ARGV.map { |folder| look_up(folder) })
