/**
 * A report processor for puppet 5 to 8: it writes `puppet.json` into the results: the resources that were changed, that
 * failed or, with `--noop`, that would be changed, each with file, line and what was said of it.
 */
export const PUPPET_REPORT = `require 'json'

Puppet::Reports.register_report(:crowbar) do
  desc 'What a catalogue did, as JSON.'

  def process
    diffs = logs.select { |log| log.message.to_s.start_with?("\\n---") }.group_by { |log| log.source.to_s }
    resources = resource_statuses.values.map do |status|
      events = status.events.select { |event| %w[success failure noop].include?(event.status.to_s) }
      next if events.empty? && !status.changed && !status.failed
      said = events.select { |event| event.status.to_s == 'failure' }
      said = events if said.empty?
      diff = diffs.select { |source, _| source.include?("/#{status.resource}/") }.values.flatten
      {
        'resource' => status.resource.to_s, 'file' => status.file.to_s, 'line' => status.line, 'changed' => status.changed ? true : false, 'failed' => status.failed ? true : false,
        'noop' => events.any? { |event| event.status.to_s == 'noop' },
        'message' => (said.map { |event| [event.property, event.message].reject { |text| text.to_s.empty? }.join(': ') } + diff.map { |log| log.message.to_s.strip }).join("\\n")
      }
    end
    File.write(File.join(ENV.fetch('CROWBAR_RESULTS'), 'puppet.json'), JSON.generate('resources' => resources.compact))
  end
end
`
