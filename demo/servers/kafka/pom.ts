import { VERSIONS } from './versions.ts';

/** A file in Maven's repository. */
type Artifact = { readonly group: string; readonly name: string; readonly version: string };

/** What is fetched together into one folder. */
export type Part = {
  readonly name: string;
  readonly artifact: Artifact;
  /** What it takes on disk, to be told before it is fetched. */
  readonly megabytes: number;
} & (Libraries | Archive);

/** Jar files of the artifact and all it needs, in `jars/`. */
type Libraries = {
  readonly kind: 'libraries';
  readonly more?: readonly Artifact[];
  /** Groups that are left out, because who uses the part has them. */
  readonly without?: readonly string[];
  /** A jar that tells Java's ServiceLoader about classes of the part. */
  readonly services?: { readonly type: string; readonly providers: readonly string[] };
};

/** A tar.gz file, unpacked. */
type Archive = { readonly kind: 'archive'; readonly classifier: string };

/** A Maven project whose `package` phase puts the part into the folder of the property `into`. */
export function pomOf(part: Part): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tandem</groupId>
  <artifactId>${part.name}</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
${part.kind === 'libraries' ? librariesBody(part) : archiveBody(part)}
</project>
`;
}

function librariesBody(part: Part & Libraries): string {
  const dependencies = [part.artifact, ...(part.more ?? [])].map(
    (artifact) => `    <dependency>${coordinates(artifact)}</dependency>\n`,
  );
  const copy = `<includeScope>runtime</includeScope>
            <excludeGroupIds>${part.without?.join(',') ?? ''}</excludeGroupIds>
            <outputDirectory>\${into}/jars</outputDirectory>`;
  return `  <dependencies>
${dependencies.join('')}  </dependencies>
  <build>
    <plugins>
${plugin('dependency', VERSIONS.mavenDependencyPlugin, 'copy-dependencies', copy)}${serviceJar(part)}
    </plugins>
  </build>`;
}

function archiveBody(part: Part & Archive): string {
  const unpack = `<markersDirectory>\${into}/markers</markersDirectory>
            <outputDirectory>\${into}</outputDirectory>
            <artifactItems>
              <artifactItem>
                ${coordinates(part.artifact)}
                <type>tar.gz</type><classifier>${part.classifier}</classifier>
              </artifactItem>
            </artifactItems>`;
  return `  <build>
    <plugins>
${plugin('dependency', VERSIONS.mavenDependencyPlugin, 'unpack', unpack)}
    </plugins>
  </build>`;
}

/** Ant can write such a jar; the program `jar` would need a JDK where a JRE is enough. */
function serviceJar({ services }: Libraries): string {
  if (services === undefined) return '';
  const providers = services.providers.map((name) => `<provider classname="${name}"/>`).join('');
  const target = `<target>
              <jar destfile="\${into}/jars/services.jar">
                <service type="${services.type}">${providers}</service>
              </jar>
            </target>`;
  return `\n${plugin('antrun', VERSIONS.mavenAntrunPlugin, 'run', target)}`;
}

function plugin(name: string, version: string, goal: string, configuration: string): string {
  return `      <plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-${name}-plugin</artifactId>
        <version>${version}</version>
        <executions>
          <execution>
            <phase>package</phase>
            <goals><goal>${goal}</goal></goals>
            <configuration>
            ${configuration}
            </configuration>
          </execution>
        </executions>
      </plugin>`;
}

function coordinates({ group, name, version }: Artifact): string {
  return `<groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version>`;
}
